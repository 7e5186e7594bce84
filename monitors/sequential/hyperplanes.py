"""Turns a vector into tokens: the sides of random hyperplanes that it lies on.

Two vectors are on the same side of a hyperplane with a probability that falls with the angle between them (Charikar,
*Similarity estimation techniques from rounding algorithms*, 2002). Embedders put all texts of a domain into a narrow cone
(Mu and Viswanath, *All-but-the-top*, 2018), on the same side of most hyperplanes, so angles are measured around a centre.
Vectors that give the centre are not exchangeable with others: they are drawn for no bet.
"""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_GROUPS, _BITS = 64, 4  # a token names the sides of a group's four hyperplanes
CODES = _GROUPS * 2**_BITS

Vector = NDArray[np.float32]

_FIRST = np.arange(_GROUPS, dtype=np.int32) * 2**_BITS
_WEIGHTS = 2 ** np.arange(_BITS, dtype=np.int32)


def centre_of(vectors: Iterable[bytes]) -> Vector | None:
    """Return the mean of vectors (little-endian float32) that have a direction; None where there are none."""
    found = [numbers for vector in vectors if (numbers := _directed(vector)) is not None]
    return np.asarray(np.mean(found, axis=0), dtype=np.float32) if found else None


def codes_of(vector: bytes, centre: Vector) -> NDArray[np.int32]:
    """Return a token of each group, below CODES; no tokens for a vector without a direction."""
    numbers = _directed(vector)
    if numbers is None:
        return np.empty(0, dtype=np.int32)
    sides = ((numbers - centre) @ _hyperplanes(len(numbers)) > 0).reshape(_GROUPS, _BITS)
    return np.asarray(_FIRST + sides @ _WEIGHTS, dtype=np.int32)


def _directed(vector: bytes) -> Vector | None:
    numbers = np.frombuffer(vector, dtype="<f4")
    return numbers if np.isfinite(numbers).all() and numbers.any() else None


@lru_cache(maxsize=2)
def _hyperplanes(dimensions: int) -> Vector:
    return np.random.default_rng(0).standard_normal((dimensions, _GROUPS * _BITS), dtype=np.float32)
