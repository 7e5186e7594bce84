"""Finds near-duplicate conversations by MinHash (Broder 1997) and locality-sensitive hashing."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rensa import RMinHash

from daemon.training.shared_text import SpokenText

_HASHES = 64
#: Of 4 hashes each: pairs of similarity 0.8 are found with probability 0.9998, of 0.5 with 0.64.
_BANDS = 16
_SEED = 20_261_124
#: Both users' and assistant's words must be as similar as this share of the threshold: the same passage with another
#: question and answer, or the same answer to another question, makes no copy.
_SIDE_SHARE = 0.5

_Hashes = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """MinHash signatures of a conversation, and of each side; None for a side that says nothing."""

    whole: _Hashes
    user: _Hashes | None
    assistant: _Hashes | None


def signature(text: SpokenText) -> Signature:
    """Return the signature of a text. The same words give the same signature on every machine.

    Shingles are pairs of adjacent words.
    """
    user = _hashes([f"user {shingle}" for shingle in _shingles(text.user)])
    assistant = _hashes([f"assistant {shingle}" for shingle in _shingles(text.assistant)])
    sides = [side for side in (user, assistant) if side is not None]
    whole = tuple(map(min, zip(*sides, strict=True))) if sides else (0,) * _HASHES
    return Signature(whole=whole, user=user, assistant=assistant)


class NearDuplicates:
    """An index that finds the conversations that are similar to a given one."""

    def __init__(self, *, threshold: float) -> None:
        """``threshold`` is the similarity (Jaccard) of two conversations' shingles from which they are alike."""
        self._threshold = threshold
        self._signatures: dict[int, Signature] = {}
        self._bands: list[dict[_Hashes, list[int]]] = [defaultdict(list) for _ in range(_BANDS)]

    def add(self, key: int, signature: Signature) -> None:
        """Add a conversation under its key."""
        self._signatures[key] = signature
        for band, members in zip(_bands(signature), self._bands, strict=True):
            members[band].append(key)

    def like(self, signature: Signature) -> list[int]:
        """Return the keys of all conversations that are alike, in order."""
        candidates: set[int] = set()
        for band, members in zip(_bands(signature), self._bands, strict=True):
            candidates.update(members.get(band, ()))
        return sorted(key for key in candidates if self._alike(self._signatures[key], signature))

    def _alike(self, one: Signature, other: Signature) -> bool:
        side = self._threshold * _SIDE_SHARE
        return (
            similarity(one.whole, other.whole) >= self._threshold
            and similarity(one.user, other.user) >= side
            and similarity(one.assistant, other.assistant) >= side
        )


def similarity(one: _Hashes | None, other: _Hashes | None) -> float:
    """Estimate the Jaccard similarity of two sets of shingles; standard error at most 0.0625."""
    if one is None or other is None:
        return float(one is other)
    return sum(map(int.__eq__, one, other)) / _HASHES


def clusters(signatures: Mapping[int, Signature], *, threshold: float) -> dict[int, int]:
    """Map each key to the smallest key of its cluster. Chains of near-duplicates form a cluster."""
    index, root = NearDuplicates(threshold=threshold), {}
    for key in sorted(signatures):
        alike = index.like(signatures[key])
        index.add(key, signatures[key])
        root[key] = key
        roots = {_root(root, other) for other in alike} | {key}
        for other in roots:
            root[other] = min(roots)
    return {key: _root(root, key) for key in root}


def _root(parents: dict[int, int], key: int) -> int:
    while parents[key] != key:
        parents[key] = parents[parents[key]]
        key = parents[key]
    return key


def _bands(signature: Signature) -> Iterator[_Hashes]:
    size = _HASHES // _BANDS
    return (signature.whole[start : start + size] for start in range(0, _HASHES, size))


def _shingles(runs: Sequence[Sequence[str]]) -> Iterator[str]:
    for run in runs:
        yield from map(" ".join, pairwise(run)) if len(run) > 1 else run


def _hashes(shingles: Sequence[str]) -> _Hashes | None:
    if not shingles:
        return None
    minhash = RMinHash(num_perm=_HASHES, seed=_SEED)
    minhash.update(shingles)
    return tuple(minhash.digest())
