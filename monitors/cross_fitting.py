"""Folds for cross-fitting: each sample is scored by a model that saw nothing of its group."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FOLDS = 5


def folds_of(groups: Sequence[str], seed: int) -> NDArray[np.intp]:
    """Return a fold for each sample, the same for those of one group."""
    names, index = np.unique(np.array(groups, dtype=object).astype(str), return_inverse=True)
    return np.asarray(np.random.default_rng(seed).permutation(len(names))[index] % _FOLDS)
