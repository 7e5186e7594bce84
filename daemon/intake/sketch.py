"""Finds near-duplicate conversations by MinHash (Broder 1997) and locality-sensitive hashing."""

import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rensa import RMinHash

_HASHES = 64
#: Of 4 hashes each: pairs of similarity 0.8 are found with probability 0.9998, of 0.5 with 0.64.
_BANDS = 16
_SEED = 20_261_124
_FORMAT = struct.Struct(f"<{_HASHES}I")
_BAND = _FORMAT.size // _BANDS
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # scripts that put no spaces between words


def sketch(words: Iterable[Sequence[str]]) -> bytes:
    """Return the MinHash signature, 256 bytes, of a conversation, given the words of each message.

    Shingles are pairs of adjacent words, or of adjacent characters in scripts without spaces. The same words give the
    same bytes on every machine.
    """
    minhash = RMinHash(num_perm=_HASHES, seed=_SEED)
    minhash.update(_shingles([word for of_message in words for word in of_message]))
    return _FORMAT.pack(*minhash.digest())


def similarity(one: bytes, other: bytes) -> float:
    """Estimate the Jaccard similarity of two conversations' shingles; standard error at most 0.0625."""
    pairs = zip(_FORMAT.unpack(one), _FORMAT.unpack(other), strict=True)
    return float(sum(left == right for left, right in pairs)) / _HASHES


class NearDuplicates:
    """An index that finds the sketches that are similar to a given one."""

    def __init__(self, *, threshold: float = 0.8) -> None:
        self._threshold = threshold
        self._sketches: dict[int, bytes] = {}
        self._bands: list[dict[bytes, list[int]]] = [defaultdict(list) for _ in range(_BANDS)]

    def add(self, key: int, signature: bytes) -> None:
        """Add a sketch under its key."""
        self._sketches[key] = signature
        for band, members in zip(_bands(signature), self._bands, strict=True):
            members[band].append(key)

    def like(self, signature: bytes) -> list[int]:
        """Return the keys of all sketches of at least the threshold's similarity, in order."""
        candidates: set[int] = set()
        for band, members in zip(_bands(signature), self._bands, strict=True):
            candidates.update(members.get(band, ()))
        return sorted(
            key for key in candidates if similarity(self._sketches[key], signature) >= self._threshold
        )


def clusters(sketches: Mapping[int, bytes], *, threshold: float = 0.8) -> dict[int, int]:
    """Map each key to the smallest key of its cluster. Chains of near-duplicates form a cluster."""
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


def _bands(signature: bytes) -> Sequence[bytes]:
    return [signature[start : start + _BAND] for start in range(0, _FORMAT.size, _BAND)]


def _shingles(words: Sequence[str]) -> list[str]:
    letters = "".join(words)
    if not letters.isascii() and _WIDE.search(letters):
        return list(map("".join, pairwise(letters))) or [letters]
    return list(map(" ".join, pairwise(words))) or [letters]
