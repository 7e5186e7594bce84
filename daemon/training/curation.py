"""Chooses, from conversations that may be trained on, those that a training set takes: no copies, nobody too much.

A flood from one user, one source or one template must not decide what a version learns, and a version must not mostly
learn its own words.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from daemon.domain.records import StoredConversation
from daemon.intake.sketch import NearDuplicates, clusters


@dataclass(frozen=True, kw_only=True, slots=True)
class CurationLimits:
    """How much of a training set one origin may fill; shares are of the conversations there are to choose from."""

    similarity: float = 0.8  # of the words, from which on two conversations are near-duplicates
    per_cluster: int = 1  # conversations of a cluster of near-duplicates
    user_share: float = 0.05
    source_share: float = 1.0
    own_share: float = 1.0  # answered by the version that is tuned
    at_least: int = 10  # conversations of one user or source that are always allowed


@dataclass(frozen=True, kw_only=True, slots=True)
class Curated:
    """What was chosen, in its order, and how many were left out for which reason."""

    kept: tuple[StoredConversation, ...]
    left_out: Mapping[str, int]


class HoldoutFilter:
    """What must not be learned from: held-out words, exactly and nearly, and words that are taken already."""

    def __init__(self, digests: Iterable[str], sketches: Iterable[bytes], *, similarity: float) -> None:
        self._digests = set(digests)
        self._index = NearDuplicates(threshold=similarity)
        for number, made in enumerate(sketches):
            self._index.add(number, made)

    def reason(self, conversation: StoredConversation) -> str | None:
        """Say why a conversation is left out; None where it need not be."""
        if conversation.text_digest in self._digests:
            return "same words as a held-out one"
        if conversation.sketch is not None and self._index.like(conversation.sketch):
            return "nearly the words of a held-out one"
        return None


def curate(
    conversations: Sequence[StoredConversation],
    forbidden: HoldoutFilter,
    caps: CurationLimits,
    *,
    tuned: str | None = None,
) -> Curated:
    """Choose from conversations in the order of their seq, the newest first where a cap leaves only some.

    ``tuned`` is the version that goes on learning. The same arguments give the same choice.
    """
    left_out: Counter[str] = Counter()
    allowed = []
    for conversation in conversations:
        if (reason := forbidden.reason(conversation)) is not None:
            left_out[reason] += 1
        else:
            allowed.append(conversation)
    distinct = _newest(
        allowed, lambda conversation: conversation.text_digest, 1, "same words as another", left_out
    )
    cluster = clusters(
        {
            conversation.seq: conversation.sketch
            for conversation in distinct
            if conversation.sketch is not None
        },
        threshold=caps.similarity,
    )
    spread = _newest(
        distinct,
        lambda conversation: str(cluster.get(conversation.seq, conversation.seq)),
        caps.per_cluster,
        "nearly the words of another",
        left_out,
    )
    total = len(spread)
    kept = _newest(
        spread,
        lambda conversation: conversation.group,
        _most(total, caps.user_share, caps),
        "one user's share",
        left_out,
    )
    kept = _newest(
        kept,
        lambda conversation: conversation.source,
        _most(total, caps.source_share, caps),
        "one source's share",
        left_out,
    )
    kept = _newest(
        kept, lambda conversation: tuned if conversation.version == tuned else None, _most(total, caps.own_share, caps),
        "answered by the tuned version", left_out,
    )  # fmt: skip
    return Curated(kept=tuple(kept), left_out=dict(left_out))


def _most(total: int, share: float, caps: CurationLimits) -> int:
    return total if share >= 1 else max(caps.at_least, int(total * share))


def _newest(
    conversations: Sequence[StoredConversation],
    origin: Callable[[StoredConversation], str | None],
    most: int,
    reason: str,
    left_out: Counter[str],
) -> list[StoredConversation]:
    """Keep of each origin the newest ``most``; where the origin is None, all."""
    seen: Counter[str] = Counter()
    kept = []
    for conversation in reversed(conversations):
        name = origin(conversation)
        if name is not None and seen[name] >= most:
            left_out[reason] += 1
            continue
        if name is not None:
            seen[name] += 1
        kept.append(conversation)
    return kept[::-1]
