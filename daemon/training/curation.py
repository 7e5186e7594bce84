"""Chooses which trainable conversations go into a training set.

Duplicates are dropped, and caps keep one user, one source, the tuned version's own answers or likes of them from deciding
what is learned.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from daemon.config.settings import CurationSection
from daemon.domain.left_out import LIKED_BEYOND
from daemon.domain.lessons import LessonKind
from daemon.domain.records import StoredConversation
from daemon.training.liked_share import ALWAYS_ALLOWED, most_liked
from daemon.training.near_duplicates import Signature, clusters


@dataclass(frozen=True, kw_only=True, slots=True)
class Curated:
    """The conversations chosen, in their order, and how many were left out for which reason."""

    kept: tuple[StoredConversation, ...]
    left_out: Mapping[str, int]


class HoldoutFilter:
    """Recognises conversations with the same, or nearly the same, words as a held-out one."""

    def __init__(
        self, digests: Iterable[str], near: Iterable[int] = (), learned: Mapping[int, str] | None = None
    ) -> None:
        """``digests`` are those of the held-out texts; ``near`` are seqs of conversations with nearly their words.

        ``learned`` are digests of the words that are learned from conversations, by seq, where those are not all theirs.
        """
        self._digests = frozenset(digests)
        self._near = frozenset(near)
        self._learned = learned or {}

    def reason(self, conversation: StoredConversation) -> str | None:
        """Return why a conversation must be left out; None where it may be trained on."""
        digests = {conversation.text_digest, self._learned.get(conversation.seq, conversation.text_digest)}
        if not self._digests.isdisjoint(digests):
            return "same words as a held-out one"
        return "nearly the words of a held-out one" if conversation.seq in self._near else None


def curate(
    conversations: Sequence[StoredConversation],
    holdout: HoldoutFilter,
    limits: CurationSection,
    signatures: Mapping[int, Signature],
    *,
    tuned: str | None = None,
    learned: Mapping[int, str] | None = None,
    always_allowed: int = ALWAYS_ALLOWED,
) -> Curated:
    """Choose from conversations in the order of their seq; where a cap leaves only some, it keeps the newest.

    ``signatures`` are theirs, by seq. ``tuned`` is the version that the run continues from. ``learned`` are the text digests
    of what is learned from them, by seq, where that is not all that they say. The same arguments give the same choice.
    """
    digests = learned or {}
    selection = _Selection(conversations)
    selection.drop(holdout.reason)
    selection.keep_newest(
        1, by=lambda one: digests.get(one.seq, one.text_digest), reason="same words as another"
    )
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


def cap_liked(
    curated: Curated,
    lessons: Mapping[int, Collection[LessonKind]],
    share: float,
    *,
    always_allowed: int = ALWAYS_ALLOWED,
) -> Curated:
    """Keep the newest conversations with nothing but liked answers of the model, as far as the share of lessons allows.

    ``lessons`` are the kinds of what is learned from each, by seq.
    """
    kinds = {one.seq: lessons.get(one.seq, ()) for one in curated.kept}
    liked = [seq for seq, found in kinds.items() if found and set(found) == {LessonKind.LIKED}]
    others = sum(len(found) for found in kinds.values()) - sum(len(kinds[seq]) for seq in liked)
    left = most_liked(others, share, always_allowed=always_allowed)
    excess: set[int] = set()
    for seq in reversed(liked):
        left -= len(kinds[seq])
        if left < 0:
            excess.add(seq)
    if not excess:
        return curated
    return Curated(
        kept=tuple(one for one in curated.kept if one.seq not in excess),
        left_out={**curated.left_out, LIKED_BEYOND: len(excess)},
    )


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


def _user(conversation: StoredConversation) -> str:
    return conversation.group


def _source(conversation: StoredConversation) -> str | None:
    return conversation.source
