"""Bounds of a weighted mean over conversations that depend on each other within a user.

Conversations of one user resemble each other, so they count for less than their number. The variance of the mean is
therefore estimated from sums over users (Cameron and Miller 2015, "A Practitioner's Guide to Cluster-Robust
Inference", Journal of Human Resources 50(2)), with two corrections that make it hold for few users of very unequal
size: residuals scaled up by the share their user has in the mean (CR2: Bell and McCaffrey 2002), and t quantiles at
Satterthwaite degrees of freedom under a working model of equal correlation within a user (Imbens and Kolesár 2016,
"Robust Standard Errors in Small Samples", Review of Economics and Statistics 98(4)). For a mean both have a closed
form. With equal weights and users of one size this is the plain t interval of the users' means.

Without the corrections (factor G/(G-1), t at G-1) a bound meant to fail in 5% of cases failed in up to 11%, and one
meant for 1.7% in up to 6%, on 40-100 conversations of users with Pareto-distributed activity; with them in 5.0% and
1.9% at most (24 simulated populations, 4,000 draws each).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusteredMean:
    """A mean with what is needed to bound it."""

    mean: float
    se: float  # standard error; infinite where there is only one cluster
    dof: float  # degrees of freedom of its t distribution; 0 where there is only one cluster
    clusters: int

    def quantile(self, probability: float) -> float:
        """Return the quantile of the t distribution that the mean's error follows, in standard errors."""
        from scipy.special import stdtrit  # a quarter of the daemon's start, and only a gate asks

        return float(stdtrit(self.dof, probability)) if self.dof > 0 else math.inf

    def bounds(self, alpha: float) -> tuple[float, float]:
        """Return the one-sided bounds, each wrong with probability ``alpha``; infinite with a single cluster."""
        if self.clusters < 2:
            return -math.inf, math.inf
        reach = self.quantile(1.0 - alpha) * self.se
        return self.mean - reach, self.mean + reach


def clustered_mean(values: ArrayLike, weights: ArrayLike, groups: Sequence[str]) -> ClusteredMean:
    """Estimate the mean of ``values`` under positive ``weights``; ``groups`` names each value's cluster.

    Everything has one length, of one at least, and is finite.
    """
    value, weight = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    total = float(weight.sum())
    mean = float((weight * value).sum()) / total
    _, of = np.unique(np.asarray(groups), return_inverse=True)
    shares = _sums(of, weight / total)
    if shares.size < 2:
        return ClusteredMean(mean=mean, se=math.inf, dof=0.0, clusters=1)
    errors = weight / total * (value - mean)
    sums = _sums(of, errors)
    squares = _sums(of, (weight / total) ** 2)
    return ClusteredMean(
        mean=mean,
        se=math.sqrt(float((sums**2 / (1.0 - shares)).sum())),
        dof=_satterthwaite(shares, squares, correlation=_correlation(errors, sums, shares, squares)),
        clusters=shares.size,
    )


def _sums(of: NDArray[np.intp], values: _Floats) -> _Floats:
    return np.bincount(of, weights=values).astype(np.float64)


def _correlation(errors: _Floats, sums: _Floats, shares: _Floats, squares: _Floats) -> float:
    """Estimate the correlation of two values of one cluster (Moulton's), between 0 and 1."""
    pairs = float((shares**2 - squares).sum())
    variance = float((errors**2).sum() / squares.sum())
    products = float((sums**2).sum() - (errors**2).sum())
    # Without two values in any cluster both are 0 but for rounding.
    if pairs <= 1e-12 or variance == 0.0:
        return 0.0
    return min(1.0, max(0.0, products / pairs / variance))


def _satterthwaite(shares: _Floats, squares: _Floats, *, correlation: float) -> float:
    """Return tr(M)²/tr(M²), M being the covariance of the scaled sums whose squares add up to the variance.

    A cluster's sum of residuals is u_g - p_g Σu, with p its share of the weight and the u independent, of variance v;
    scaled by 1/√(1 - p). Off its diagonal M is a sum of three rank-one terms, so that tr(M²) needs no matrix.
    """
    p, scale = shares, 1.0 / (1.0 - shares)
    v = (1.0 - correlation) * squares + correlation * shares**2
    total = v.sum()
    diagonal = scale * (v * (1.0 - 2.0 * p) + p**2 * total)
    pp, pv, vv = (scale * p * p).sum(), (scale * p * v).sum(), (scale * v * v).sum()
    everywhere = 2.0 * (pp * vv + pv**2 - 2.0 * total * pp * pv) + (total * pp) ** 2
    on_diagonal = ((scale * p * (2.0 * v - total * p)) ** 2).sum()
    return float(diagonal.sum() ** 2 / ((diagonal**2).sum() + everywhere - on_diagonal))
