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
class Caps:
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


class Forbidden:
    """What must not be learned from: held-out words, exactly and nearly, and words that are taken already."""

    def __init__(self, digests: Iterable[str], sketches: Iterable[bytes], *, similarity: float) -> None:
        self._digests = set(digests)
        self._index = NearDuplicates(threshold=similarity)
        for number, made in enumerate(sketches):
            self._index.add(number, made)

    def reason(self, talk: StoredConversation) -> str | None:
        """Say why a conversation is left out; None where it need not be."""
        if talk.text_digest in self._digests:
            return "same words as a held-out one"
        if talk.sketch is not None and self._index.like(talk.sketch):
            return "nearly the words of a held-out one"
        return None


def curate(
    talks: Sequence[StoredConversation], forbidden: Forbidden, caps: Caps, *, tuned: str | None = None
) -> Curated:
    """Choose from conversations in the order of their seq, the newest first where a cap leaves only some.

    ``tuned`` is the version that goes on learning. The same arguments give the same choice.
    """
    left_out: Counter[str] = Counter()
    allowed = []
    for talk in talks:
        if (reason := forbidden.reason(talk)) is not None:
            left_out[reason] += 1
        else:
            allowed.append(talk)
    distinct = _newest(allowed, lambda talk: talk.text_digest, 1, "same words as another", left_out)
    cluster = clusters(
        {talk.seq: talk.sketch for talk in distinct if talk.sketch is not None}, threshold=caps.similarity
    )
    spread = _newest(
        distinct,
        lambda talk: str(cluster.get(talk.seq, talk.seq)),
        caps.per_cluster,
        "nearly the words of another",
        left_out,
    )
    total = len(spread)
    kept = _newest(
        spread, lambda talk: talk.group, _most(total, caps.user_share, caps), "one user's share", left_out
    )
    kept = _newest(
        kept, lambda talk: talk.source, _most(total, caps.source_share, caps), "one source's share", left_out
    )
    kept = _newest(
        kept, lambda talk: tuned if talk.version == tuned else None, _most(total, caps.own_share, caps),
        "answered by the tuned version", left_out,
    )  # fmt: skip
    return Curated(kept=tuple(kept), left_out=dict(left_out))


def _most(total: int, share: float, caps: Caps) -> int:
    return total if share >= 1 else max(caps.at_least, int(total * share))


def _newest(
    talks: Sequence[StoredConversation],
    origin: Callable[[StoredConversation], str | None],
    most: int,
    reason: str,
    left_out: Counter[str],
) -> list[StoredConversation]:
    """Keep of each origin the newest ``most``; where the origin is None, all."""
    seen: Counter[str] = Counter()
    kept = []
    for talk in reversed(talks):
        name = origin(talk)
        if name is not None and seen[name] >= most:
            left_out[reason] += 1
            continue
        if name is not None:
            seen[name] += 1
        kept.append(talk)
    return kept[::-1]
