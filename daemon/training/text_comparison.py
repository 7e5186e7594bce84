"""Compares the words of candidates for a training set with each other's, and with held-out conversations'."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from daemon.domain.conversation import Message
from daemon.domain.records import StoredConversation
from daemon.training.curation import HoldoutFilter
from daemon.training.near_duplicates import NearDuplicates, Signature, signature
from daemon.training.shared_text import find_shared_text

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
    signatures: Mapping[int, Signature]  # of each candidate, by seq


def compare_texts(
    ledger: HeldOutTexts,
    candidates: Sequence[StoredConversation],
    *,
    similarity: float,
    check: Callable[[], None] = lambda: None,
) -> TextComparison:
    """Compare the candidates with all held-out conversations, without the text that many share.

    ``similarity`` is the word overlap from which two conversations are near-duplicates. ``check`` is called before each
    conversation is compared, and may raise to end the comparison.
    """
    texts = {conversation.text_digest: conversation.messages for conversation in candidates}
    newest = ledger.newest_held_out(_HELD_OUT_READ)
    held_out = {conversation.text_digest: conversation.messages for conversation in newest}
    shared = find_shared_text([*texts.values(), *held_out.values()])
    signatures: dict[int, Signature] = {}
    index = NearDuplicates(threshold=similarity)
    for one in candidates:
        check()
        signatures[one.seq] = signature(shared.own_text(one.messages))
        index.add(one.seq, signatures[one.seq])
    near: set[int] = set()
    for messages in ledger.held_out_messages():
        check()
        near.update(index.like(signature(shared.own_text(messages))))
    return TextComparison(
        holdout=HoldoutFilter(ledger.held_out_text_digests(), near),
        signatures=signatures,
    )
