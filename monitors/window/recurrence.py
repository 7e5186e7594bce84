"""Compares a changed window with earlier references, to recognise a return to something known before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitors.features import text_features
from monitors.sample_requirements import PER_USER, SampleRequirements, balanced, shortfall
from monitors.texts import user_text
from monitors.types import Reference, Sample, Window
from monitors.window.permutation import PermutationTest, permutation_test
from monitors.window.recurrence_result import Recurrence, RecurrenceResult

#: Level of the test against an earlier reference: the share of true returns that it misses.
_FIT_LEVEL = 0.05
#: Standard errors by which the current reference must be farther from the window than the earlier one.
_MIN_STANDARD_ERRORS = 3.0
_PERMUTATIONS = 999

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fit:
    """How well an earlier reference fits the window."""

    reference: Reference
    test: PermutationTest  # of the window against this reference
    standard_errors: float  # by which the current reference is farther from the window

    @property
    def accepted(self) -> bool:
        """Whether the test does not reject this reference."""
        return self.test.p_value > _FIT_LEVEL

    @property
    def outcome(self) -> Recurrence:
        """Whether the window returned to this reference."""
        if not self.accepted:
            return Recurrence.NEW
        nearer = self.standard_errors >= _MIN_STANDARD_ERRORS
        return Recurrence.RETURNED if nearer else Recurrence.INCONCLUSIVE


def recognise(
    window: Window,
    current: Reference,
    earlier: Sequence[Reference],
    *,
    minimum: SampleRequirements,
    seed: int = 0,
) -> RecurrenceResult:
    """Say whether an earlier reference fits a window that the current one does not; the nearest of several is named.

    A reference fits if the permutation test of the window against it does not reject, and the window is nearer to it than
    to the current one: the difference of the two squared discrepancies is three standard errors above zero (a test of
    relative similarity, Bounliphone et al. 2016, with the users as units).
    """
    if lacking := shortfall(window, current, minimum):
        return cannot_tell(window, lacking)
    compared = [one for one in earlier if shortfall(window, one, minimum) is None]
    if not compared:
        return cannot_tell(window, "no earlier reference has conversations enough")
    fits = sorted((_fit(window, current, one, seed) for one in compared), key=lambda fit: fit.test.mmd2)
    best = next((fit for fit in fits if fit.outcome is Recurrence.RETURNED), fits[0])
    return RecurrenceResult(
        window_id=window.id,
        outcome=best.outcome,
        score=best.test.score,
        reason=_reason(best, count=len(compared)),
        numbers={
            "p_value": best.test.p_value,
            "mmd2": best.test.mmd2,
            "nearer": best.standard_errors,
            "earlier": float(len(compared)),
        },
    )


def cannot_tell(window: Window, reason: str) -> RecurrenceResult:
    """Return the result of a comparison that was not possible."""
    return RecurrenceResult(window_id=window.id, outcome=Recurrence.INCONCLUSIVE, score=0.0, reason=reason)


def _reason(best: _Fit, *, count: int) -> str:
    figures = f"p = {best.test.p_value:.3f}; the current reference is {best.standard_errors:.1f} standard errors farther"
    if best.outcome is Recurrence.RETURNED:
        return f"looks like {_title(best.reference)} again ({figures})"
    return f"like none of {count} earlier references; the nearest is {_title(best.reference)} ({figures})"


def _title(reference: Reference) -> str:
    return reference.title or f"reference {reference.id}"


def _fit(window: Window, current: Reference, earlier: Reference, seed: int) -> _Fit:
    past, fresh = balanced(current.samples, window.samples, PER_USER)
    sides = [past, balanced(earlier.samples, window.samples, PER_USER)[0], fresh]
    features = text_features([user_text(sample) for side in sides for sample in side])
    kernel = (features @ features.T).toarray()
    side = np.repeat(np.arange(3), [len(found) for found in sides])
    blocks = _blocks(sides)
    tested = side > 0
    test = permutation_test(
        kernel[np.ix_(tested, tested)],
        in_window=side[tested] == 2,
        blocks=np.unique(blocks[tested], return_inverse=True)[1],
        level=_FIT_LEVEL,
        permutations=_PERMUTATIONS,
        seed=seed,
    )
    return _Fit(reference=earlier, test=test, standard_errors=_standard_errors(kernel, side, blocks))


def _standard_errors(kernel: Floats, side: NDArray[np.intp], blocks: NDArray[np.intp]) -> float:
    """Return mmd2(current, window) - mmd2(earlier, window) in standard errors; positive: the earlier one is nearer.

    ``side``: 0 for rows of the current reference, 1 for the earlier one, 2 for the window. The window's own term cancels.
    The standard error is that of the sum of the users' first-order contributions.
    """
    sizes = np.bincount(side)
    to = np.stack([kernel[:, side == number].sum(axis=1) for number in range(3)])  # to all rows of a side
    own = (to[side, np.arange(len(side))] - kernel.diagonal()) / np.maximum(sizes[side] - 1, 1)
    mean = to / sizes[:, None]
    sign = np.array([1.0, -1.0])
    difference = sum(
        sign[known] * (own[side == known].mean() - 2 * mean[2, side == known].mean()) for known in (0, 1)
    )
    share = np.zeros(len(side))
    for known in (0, 1):
        share[side == known] = sign[known] * 2 * (own - mean[2])[side == known]
    share[side == 2] = 2 * (mean[1] - mean[0])[side == 2]
    for number in range(3):
        share[side == number] -= share[side == number].mean()
    by_user = np.bincount(blocks, weights=share / sizes[side])
    error = float(np.sqrt((by_user**2).sum()))
    return float(difference) / error if error > 0 else 0.0


def _blocks(sides: Sequence[Sequence[Sample]]) -> NDArray[np.intp]:
    """Number the users; a user of two sides gets two numbers."""
    names = [f"{number} {sample.group}" for number, side in enumerate(sides) for sample in side]
    return np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)[1]
