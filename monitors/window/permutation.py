"""The permutation test of maximum mean discrepancy for two samples with dependent rows."""

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

#: Fewest permuted statistics above the critical value, which would otherwise rest on one or two of them.
_EXCEEDANCES = 10
_BATCH = 2_000
_ROUNDING = 1e-12

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class PermutationTest:
    """The result of a permutation test."""

    mmd2: float  # squared maximum mean discrepancy, unbiased
    critical: float  # the mmd2 above which the test rejects at its level
    p_value: float
    permutations: int
    #: mmd2 as a multiple of ``critical``: above 1 exactly where p_value <= level.
    score: float


def permutation_test(
    kernel: Floats,
    *,
    in_window: NDArray[np.bool_],
    blocks: NDArray[np.intp],
    level: float,
    permutations: int,
    seed: int,
) -> PermutationTest:
    """Test whether window rows and reference rows come from one distribution (Gretton et al., JMLR 2012).

    ``kernel`` is the matrix of all rows; ``in_window`` marks the window's. Rows of one block depend on each other and are
    permuted together: a permuted window takes whole blocks in random order up to the observed window's number of rows.
    Under the null hypothesis this varies which users came. A returning user's rows in the reference and in the window are
    two blocks; the test then errs towards fewer alarms.

    Draws at least ``permutations``, and more where a small level needs them.
    """
    drawn = max(permutations, ceil(_EXCEEDANCES / level) - 1)
    observed = _mmd2(kernel, in_window[None, :].astype(np.float64))[0]
    null = _null(kernel, rows=int(in_window.sum()), blocks=blocks, permutations=drawn, seed=seed)
    exceeding = int(np.count_nonzero(null >= observed - _ROUNDING))
    p_value = (1 + exceeding) / (1 + drawn)
    rank = floor(level * (1 + drawn) + _ROUNDING)
    critical = float(np.partition(null, drawn - rank)[drawn - rank])
    score = float(observed) / max(critical, _ROUNDING)
    return PermutationTest(
        mmd2=float(observed),
        critical=critical,
        p_value=p_value,
        permutations=drawn,
        score=score if p_value <= level else min(score, 1.0),
    )


def _null(kernel: Floats, *, rows: int, blocks: NDArray[np.intp], permutations: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    sizes = np.bincount(blocks)
    batches = [min(_BATCH, permutations - start) for start in range(0, permutations, _BATCH)]
    return np.concatenate(
        [_mmd2(kernel, _random_windows(random, sizes, rows, batch)[:, blocks]) for batch in batches]
    )


def _random_windows(random: np.random.Generator, sizes: NDArray[np.intp], rows: int, count: int) -> Floats:
    """Return which blocks (columns) are in each permuted window: in random order, up to about ``rows`` rows."""
    order = np.argsort(random.random((count, sizes.size)), axis=1)
    filled = sizes[order]
    taken = filled.cumsum(axis=1) - filled / 2 <= rows
    taken[:, 0], taken[:, -1] = True, False  # neither side may be empty
    windows = np.zeros((count, sizes.size))
    np.put_along_axis(windows, order, taken.astype(np.float64), axis=1)
    return windows


def _mmd2(kernel: Floats, windows: Floats) -> Floats:
    """Return the unbiased squared discrepancy for each row of ``windows`` (1: in the window, 0: in the reference)."""
    diagonal, margin = kernel.diagonal(), kernel.sum(axis=1)
    n = windows.sum(axis=1)
    m = kernel.shape[0] - n
    within = np.einsum("ij,ij->i", windows @ kernel, windows)
    across = windows @ margin - within
    beyond = kernel.sum() - within - 2 * across
    window_diagonal = windows @ diagonal
    reference_diagonal = diagonal.sum() - window_diagonal
    ordered_pairs = np.maximum(n * (n - 1), 1), np.maximum(m * (m - 1), 1)
    return np.asarray(
        (within - window_diagonal) / ordered_pairs[0]
        + (beyond - reference_diagonal) / ordered_pairs[1]
        - 2 * across / (n * m)
    )
