"""Recognises conversations that say nearly the same, by MinHash (Broder 1997) and locality-sensitive hashing.

rensa computes the hashes, several times as fast as datasketch; the index is a dictionary a band.
"""

import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rensa import RMinHash

_HASHES = 64
_BANDS = (
    16  # of 4 hashes: conversations of similarity 0.8 are found with probability 0.9998, of 0.5 with 0.64
)
_SEED = 20_261_124
_FORMAT = struct.Struct(f"<{_HASHES}I")
_BAND = _FORMAT.size // _BANDS
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # scripts that put no spaces between words


def sketch(words: Iterable[Sequence[str]]) -> bytes:
    """Return 256 bytes from which the similarity of two conversations can be told, given the words of each message.

    Shingles are pairs of adjacent words, or of adjacent characters where a script has no spaces. The same words give
    the same bytes, on every machine.
    """
    made = RMinHash(num_perm=_HASHES, seed=_SEED)
    made.update(_shingles([word for told in words for word in told]))
    return _FORMAT.pack(*made.digest())


def similarity(one: bytes, other: bytes) -> float:
    """Estimate the Jaccard similarity of two conversations' shingles; standard error at most 0.0625."""
    pairs = zip(_FORMAT.unpack(one), _FORMAT.unpack(other), strict=True)
    return float(sum(left == right for left, right in pairs)) / _HASHES


class NearDuplicates:
    """Finds, among the sketches added, those that are like a given one."""

    def __init__(self, *, threshold: float = 0.8) -> None:
        self._threshold = threshold
        self._sketches: dict[int, bytes] = {}
        self._bands: list[dict[bytes, list[int]]] = [defaultdict(list) for _ in range(_BANDS)]

    def add(self, key: int, made: bytes) -> None:
        """Remember a sketch."""
        self._sketches[key] = made
        for band, members in zip(_bands(made), self._bands, strict=True):
            members[band].append(key)

    def like(self, made: bytes) -> list[int]:
        """Return the keys of all that are at least as similar as the threshold, in order."""
        candidates: set[int] = set()
        for band, members in zip(_bands(made), self._bands, strict=True):
            candidates.update(members.get(band, ()))
        return sorted(key for key in candidates if similarity(self._sketches[key], made) >= self._threshold)


def clusters(sketches: Mapping[int, bytes], *, threshold: float = 0.8) -> dict[int, int]:
    """Give each key the smallest key of its cluster: those that a chain of near-duplicates joins."""
    index, root = NearDuplicates(threshold=threshold), {}
    for key in sorted(sketches):
        alike = index.like(sketches[key])
        index.add(key, sketches[key])
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


def _bands(made: bytes) -> Sequence[bytes]:
    return [made[start : start + _BAND] for start in range(0, _FORMAT.size, _BAND)]


def _shingles(words: Sequence[str]) -> list[str]:
    letters = "".join(words)
    if not letters.isascii() and _WIDE.search(letters):
        return list(map("".join, pairwise(letters))) or [letters]
    return list(map(" ".join, pairwise(words))) or [letters]
