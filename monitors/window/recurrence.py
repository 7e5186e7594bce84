"""Does a changed window look like something that was known before? Compares it with earlier references.

Measured on windows of 100 and references of 250 (chit-chat, knowledge questions, ten domains of SGD): of 60 full returns
57 are named, all rightly. Of 60 changes to something new (30, 50 and 100 of the window) none is named, nor are any of 40
windows without change whose population an earlier reference shares. Where 80 of the window are a return and 20 are not,
4 of 20 are named: a reference fits as a whole, or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitors.features import text_features
from monitors.sample_requirements import PER_USER, SampleRequirements, alike, inconclusive, too_little
from monitors.texts import user_text
from monitors.types import Finding, Reference, Sample, Verdict, Window
from monitors.window.permutation import PermutationTest, permutation_test

NAME = "recurrence"
#: One in so many true returns is not recognised for this alone; larger: more that only resemble are.
_FIT_LEVEL = 0.05
#: Standard errors by which the current reference has to be farther than the earlier one.
_NEARER = 3.0
_PERMUTATIONS = 999

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fit:
    """How an earlier reference compares."""

    reference: Reference
    test: PermutationTest  # of the window against it
    nearer: float  # standard errors by which the current one is farther from the window

    @property
    def again(self) -> bool:
        """Whether the window may be of its population, and is not of the current one's."""
        return self.test.p_value > _FIT_LEVEL and self.nearer >= _NEARER


def recognise(
    window: Window,
    current: Reference,
    earlier: Sequence[Reference],
    *,
    minimum: SampleRequirements,
    seed: int = 0,
) -> Verdict:
    """Say STABLE where an earlier reference fits a window that the current one does not, DRIFT where none fits at all.

    One fits again if the permutation test of the window against it does not reject, and the window is nearer to it than to
    the current one: the difference of the two squared discrepancies is three standard errors above zero (a test of
    relative similarity, Bounliphone et al. 2016, with users as a whole). The reason names it, the nearest of several.
    """
    missing = too_little(NAME, window, current, minimum, threshold=1.0)
    if missing is not None:
        return missing
    judged = [one for one in earlier if too_little(NAME, window, one, minimum, threshold=1.0) is None]
    if not judged:
        return inconclusive(NAME, window, "no earlier reference has conversations enough", threshold=1.0)
    fits = sorted((_fit(window, current, one, seed) for one in judged), key=lambda fit: fit.test.mmd2)
    best = next((fit for fit in fits if fit.again), fits[0])
    told = f"p = {best.test.p_value:.3f}; the current reference is {best.nearer:.1f} standard errors farther"
    return Verdict(
        monitor=NAME,
        window_id=window.id,
        finding=_finding(best),
        score=best.test.score,
        threshold=1.0,
        reason=f"looks like {_title(best.reference)} again ({told})"
        if best.again
        else f"like none of {len(judged)} earlier references; the nearest is {_title(best.reference)} ({told})",
        numbers={
            "p_value": best.test.p_value,
            "mmd2": best.test.mmd2,
            "nearer": best.nearer,
            "earlier": float(len(judged)),
        },
    )


def _finding(best: _Fit) -> Finding:
    """Say STABLE where it fits again, DRIFT where none fits, INCONCLUSIVE where one fits no better than the current one."""
    if best.again:
        return Finding.STABLE
    return Finding.DRIFT if best.test.p_value <= _FIT_LEVEL else Finding.INCONCLUSIVE


def _title(reference: Reference) -> str:
    return reference.title or f"reference {reference.id}"


def _fit(window: Window, current: Reference, earlier: Reference, seed: int) -> _Fit:
    past, fresh = alike(current.samples, window.samples, PER_USER)
    sides = [past, alike(earlier.samples, window.samples, PER_USER)[0], fresh]
    features = text_features([user_text(sample) for side in sides for sample in side])
    kernel = (features @ features.T).toarray()
    side = np.repeat(np.arange(3), [len(found) for found in sides])
    blocks = _blocks(sides)
    apart = side > 0
    test = permutation_test(
        kernel[np.ix_(apart, apart)],
        in_window=side[apart] == 2,
        blocks=np.unique(blocks[apart], return_inverse=True)[1],
        level=_FIT_LEVEL,
        permutations=_PERMUTATIONS,
        seed=seed,
    )
    return _Fit(reference=earlier, test=test, nearer=_nearer(kernel, side, blocks))


def _nearer(kernel: Floats, side: NDArray[np.intp], blocks: NDArray[np.intp]) -> float:
    """Return mmd2(current, window) - mmd2(earlier, window) in standard errors: positive is nearer to the earlier one.

    What the window's rows have to say to each other cancels. The standard error is that of the sum of each user's share
    in the difference, to first order.
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
    """Number the users; one who is on two sides is two."""
    names = [f"{number} {sample.group}" for number, side in enumerate(sides) for sample in side]
    return np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)[1]
