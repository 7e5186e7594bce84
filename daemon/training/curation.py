"""Chooses which trainable conversations go into a training set.

Duplicates are dropped, and caps keep one user, one source or the tuned version's own answers from deciding what is learned.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from daemon.config.settings import CurationSection
from daemon.domain.records import StoredConversation
from daemon.training.near_duplicates import Signature, clusters

#: Conversations of one user, source or version that no cap cuts.
ALWAYS_ALLOWED = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Curated:
    """The conversations chosen, in their order, and how many were left out for which reason."""

    kept: tuple[StoredConversation, ...]
    left_out: Mapping[str, int]


class HoldoutFilter:
    """Recognises conversations with the same, or nearly the same, words as a held-out one."""

    def __init__(self, digests: Iterable[str], near: Iterable[int] = ()) -> None:
        """``digests`` are those of the held-out texts; ``near`` are seqs of conversations with nearly their words."""
        self._digests = frozenset(digests)
        self._near = frozenset(near)

    def reason(self, conversation: StoredConversation) -> str | None:
        """Return why a conversation must be left out; None where it may be trained on."""
        if conversation.text_digest in self._digests:
            return "same words as a held-out one"
        return "nearly the words of a held-out one" if conversation.seq in self._near else None


def curate(
    conversations: Sequence[StoredConversation],
    holdout: HoldoutFilter,
    limits: CurationSection,
    signatures: Mapping[int, Signature],
    *,
    tuned: str | None = None,
    always_allowed: int = ALWAYS_ALLOWED,
) -> Curated:
    """Choose from conversations in the order of their seq; where a cap leaves only some, it keeps the newest.

    ``signatures`` are theirs, by seq. ``tuned`` is the version that the run continues from. The same arguments give the same choice.
    """
    selection = _Selection(conversations)
    selection.drop(holdout.reason)
    selection.keep_newest(1, by=_text, reason="same words as another")
    cluster = _cluster_of(selection.kept, signatures, limits.similarity)
    selection.keep_newest(limits.per_cluster, by=cluster, reason="nearly the words of another")
    total = len(selection.kept)

    def cap(share: float) -> int:
        return total if share >= 1 else max(always_allowed, int(total * share))

    def answered_by_tuned(conversation: StoredConversation) -> str | None:
        return tuned if conversation.version == tuned else None

    selection.keep_newest(cap(limits.user_share), by=_user, reason="one user's share")
    selection.keep_newest(cap(limits.source_share), by=_source, reason="one source's share")
    selection.keep_newest(cap(limits.own_share), by=answered_by_tuned, reason="answered by the tuned version")
    return Curated(kept=tuple(selection.kept), left_out=dict(selection.left_out))


class _Selection:
    """The conversations that are still chosen, and the count of those left out by reason."""

    def __init__(self, conversations: Iterable[StoredConversation]) -> None:
        self.kept = list(conversations)
        self.left_out: Counter[str] = Counter()

    def drop(self, reason_of: Callable[[StoredConversation], str | None]) -> None:
        """Leave out the conversations that have a reason to be."""
        kept = []
        for conversation in self.kept:
            if (reason := reason_of(conversation)) is None:
                kept.append(conversation)
            else:
                self.left_out[reason] += 1
        self.kept = kept

    def keep_newest(self, most: int, *, by: Callable[[StoredConversation], str | None], reason: str) -> None:
        """Keep the newest ``most`` conversations of each group, and every conversation whose group is None."""
        seen: Counter[str] = Counter()

        def excess(conversation: StoredConversation) -> str | None:
            group = by(conversation)
            if group is None:
                return None
            seen[group] += 1
            return reason if seen[group] > most else None

        self.kept.reverse()
        self.drop(excess)
        self.kept.reverse()


def _cluster_of(
    conversations: Sequence[StoredConversation], signatures: Mapping[int, Signature], similarity: float
) -> Callable[[StoredConversation], str]:
    """Return which cluster of near-duplicates a conversation belongs to."""
    found = clusters({one.seq: signatures[one.seq] for one in conversations}, threshold=similarity)
    return lambda conversation: str(found[conversation.seq])


def _text(conversation: StoredConversation) -> str:
    return conversation.text_digest


def _user(conversation: StoredConversation) -> str:
    return conversation.group


def _source(conversation: StoredConversation) -> str | None:
    return conversation.source
