"""Turns a vector into tokens: on which sides of random hyperplanes it lies.

Two vectors lie on the same side of one with a chance that falls with the angle between them (Charikar, *Similarity
estimation techniques from rounding algorithms*, 2002). The hyperplanes are fixed, not fitted to any data, so that the
tokens of the reference look no different from those of the stream.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_GROUPS, _BITS = 64, 4  # a token says on which sides of the four hyperplanes of a group a vector lies
CODES = _GROUPS * 2**_BITS

_FIRST = np.arange(_GROUPS, dtype=np.int32) * 2**_BITS
_WEIGHTS = 2 ** np.arange(_BITS, dtype=np.int32)


def codes_of(vector: bytes) -> NDArray[np.int32]:
    """Return a token of each group, below CODES. ``vector`` is little-endian float32; none without a finite direction."""
    numbers = np.frombuffer(vector, dtype="<f4")
    if not np.isfinite(numbers).all() or not numbers.any():
        return np.empty(0, dtype=np.int32)
    sides = (numbers @ _hyperplanes(len(numbers)) > 0).reshape(_GROUPS, _BITS)
    return np.asarray(_FIRST + sides @ _WEIGHTS, dtype=np.int32)


@lru_cache(maxsize=2)
def _hyperplanes(dimensions: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((dimensions, _GROUPS * _BITS), dtype=np.float32)
