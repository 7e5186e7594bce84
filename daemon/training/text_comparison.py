"""Compares the words of candidates for a training set with each other's, and with held-out conversations'."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from daemon.domain.conversation import Message
from daemon.domain.records import StoredConversation
from daemon.training.curation import HoldoutFilter
from daemon.training.near_duplicates import NearDuplicates, Signature, signature
from daemon.training.shared_text import SharedText, find_shared_text
from daemon.training.taught_rows import TaughtRow

#: Held-out conversations that are read for shared text, besides the candidates: a few candidates do not show it.
_HELD_OUT_READ = 1_000


class HeldOutTexts(Protocol):
    """The held-out side of a ledger."""

    def newest_held_out(self, limit: int) -> list[StoredConversation]:
        """Return the newest held-out conversations, oldest first."""
        ...

    def held_out_messages(self) -> Iterator[tuple[Message, ...]]:
        """Return the messages of all held-out conversations, a few at a time in memory."""
        ...

    def held_out_text_digests(self) -> frozenset[str]:
        """Return the text digests of all held-out conversations."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class TextComparison:
    """What is known about the words of the candidates for a training set."""

    holdout: HoldoutFilter
    signatures: Mapping[int, Signature]  # of what is learned from each candidate, by seq
    learned: Mapping[int, str]  # text digests of what is learned, by seq, where that is not all that they say


def compare_texts(
    ledger: HeldOutTexts,
    candidates: Sequence[TaughtRow],
    *,
    similarity: float,
    corrected: Sequence[TaughtRow] = (),
    check: Callable[[], None] = lambda: None,
) -> TextComparison:
    """Compare the candidates with all held-out conversations, without the text that many share.

    Candidates are compared by what was said and by what is learned. ``corrected`` are the held-out conversations that
    teach another answer than the one that was given. ``similarity`` is the word
    overlap from which two conversations are near-duplicates. ``check`` is called before each conversation is compared, and
    may raise to end the comparison.
    """
    learned = {one.conversation.seq: one.learned_messages for one in candidates}
    changed = {
        one.conversation.seq: one.learned_digest
        for one in candidates
        if learned[one.conversation.seq] is not one.conversation.messages
    }
    shared = _shared_text(ledger, candidates)
    signatures: dict[int, Signature] = {}
    index = NearDuplicates(threshold=similarity)
    for one in (candidate.conversation for candidate in candidates):
        check()
        signatures[one.seq] = signature(shared.own_text(learned[one.seq]))
        index.add(one.seq, signatures[one.seq])
        if one.seq in changed:
            index.add(-one.seq, signature(shared.own_text(one.messages)))
    near: set[int] = set()
    digests = ledger.held_out_text_digests() | {one.learned_digest for one in corrected}
    for messages in chain(ledger.held_out_messages(), (one.learned_messages for one in corrected)):
        check()
        near.update(abs(key) for key in index.like(signature(shared.own_text(messages))))
    return TextComparison(
        holdout=HoldoutFilter(digests, near, changed), signatures=signatures, learned=changed
    )


def _shared_text(ledger: HeldOutTexts, candidates: Sequence[TaughtRow]) -> SharedText:
    texts = {one.conversation.text_digest: one.conversation.messages for one in candidates}
    newest = ledger.newest_held_out(_HELD_OUT_READ)
    held_out = {conversation.text_digest: conversation.messages for conversation in newest}
    return find_shared_text([*texts.values(), *held_out.values()])
