"""Confidence intervals of means, of shares and of their differences, for independent values.

Conversations of one user depend on each other, so callers pass one value for each user.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

LEVEL = 0.95  # two-sided


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """An estimate with its 95% confidence interval."""

    estimate: float
    lower: float
    upper: float
    users: int  # of both sides together for a difference

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval is above zero."""
        return self.lower > 0

    def numbers(self, name: str) -> Mapping[str, float]:
        """Return estimate and bounds under names that begin with ``name``; bounds may be infinite."""
        return {name: self.estimate, f"{name}_lower": self.lower, f"{name}_upper": self.upper}


def mean(values: ArrayLike) -> Interval:
    """Return the t interval of the mean of at least one value; unbounded for one."""
    found = np.asarray(values, dtype=np.float64)
    if len(found) < 2:
        return Interval(estimate=float(found.mean()), lower=-inf, upper=inf, users=len(found))
    return _around(float(found.mean()), found.var(ddof=1) / len(found), dof=len(found) - 1, users=len(found))


def difference(new: ArrayLike, reference: ArrayLike) -> Interval:
    """Return the interval of mean(new) - mean(reference) (Welch, Biometrika 34, 1947); unbounded for single values."""
    sides = [np.asarray(side, dtype=np.float64) for side in (new, reference)]
    estimate, users = float(sides[0].mean() - sides[1].mean()), sum(map(len, sides))
    if min(map(len, sides)) < 2:
        return Interval(estimate=estimate, lower=-inf, upper=inf, users=users)
    parts = [float(side.var(ddof=1)) / len(side) for side in sides]
    spread = sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
    dof = sum(parts) ** 2 / spread if spread > 0 else users - 2
    return _around(estimate, sum(parts), dof=dof, users=users)


def share(hits: int, users: int) -> Interval:
    """Return the interval of a share of at least one user (Wilson, JASA 22, 1927)."""
    z = float(ndtri((1 + LEVEL) / 2))
    centre = (hits + z * z / 2) / (users + z * z)
    reach = z * sqrt(hits * (users - hits) / users + z * z / 4) / (users + z * z)
    return Interval(
        estimate=hits / users, lower=max(0.0, centre - reach), upper=min(1.0, centre + reach), users=users
    )


def share_difference(new: Interval, reference: Interval) -> Interval:
    """Return the interval of the difference of two shares (Newcombe, Statistics in Medicine 17, 1998, method 10)."""
    estimate = new.estimate - reference.estimate
    down = sqrt((new.estimate - new.lower) ** 2 + (reference.upper - reference.estimate) ** 2)
    up = sqrt((new.upper - new.estimate) ** 2 + (reference.estimate - reference.lower) ** 2)
    return Interval(
        estimate=estimate, lower=estimate - down, upper=estimate + up, users=new.users + reference.users
    )


def per_unit(sums: ArrayLike, sizes: ArrayLike) -> NDArray[np.float64]:
    """Return values with the mean sum(sums) / sum(sizes) and the variance of this ratio.

    The linearised ratio (Cochran, *Sampling techniques*, 1977, section 6.3): long conversations have the same weight as in
    training, and intervals of the mean account for it. At least one size is above 0.
    """
    summed, size = np.asarray(sums, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    ratio = summed.sum() / size.sum()
    return np.asarray(ratio + (summed - ratio * size) / size.mean())


def by_user(values: Sequence[float], groups: Sequence[str]) -> list[float]:
    """Return each user's mean."""
    grouped: dict[str, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        grouped.setdefault(group, []).append(value)
    return [sum(of_user) / len(of_user) for of_user in grouped.values()]


def _around(estimate: float, variance: float, *, dof: float, users: int) -> Interval:
    reach = float(stdtrit(dof, (1 + LEVEL) / 2)) * sqrt(variance)
    return Interval(estimate=estimate, lower=estimate - reach, upper=estimate + reach, users=users)
