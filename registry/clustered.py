"""Cluster-robust confidence bounds of a weighted mean; the clusters are users.

Conversations of one user are correlated, so the variance of the mean is estimated from sums over users (Cameron and
Miller 2015, "A Practitioner's Guide to Cluster-Robust Inference", Journal of Human Resources 50(2)). Two corrections
keep the bounds valid for few users of very unequal activity:

- CR2: residuals are scaled up by their user's share of the total weight (Bell and McCaffrey 2002).
- Quantiles come from a t distribution with Satterthwaite degrees of freedom, under a working model of equal
  correlation within each user (Imbens and Kolesár 2016, "Robust Standard Errors in Small Samples", Review of
  Economics and Statistics 98(4)).

For a mean, both have a closed form. With equal weights and equally active users, the result is the ordinary t
interval of the users' means. ``registry/README.md`` gives the error rates with and without the corrections.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusteredMean:
    """An estimated mean with its standard error and degrees of freedom."""

    mean: float
    se: float  # standard error; infinite if there is only one cluster
    dof: float  # degrees of freedom of its t distribution; 0 if there is only one cluster
    clusters: int

    def quantile(self, probability: float) -> float:
        """Return the quantile of the error's t distribution, in standard errors; infinite for a single cluster."""
        from scipy.special import stdtrit  # slow to import, and only the gate needs it

        return float(stdtrit(self.dof, probability)) if self.dof > 0 else math.inf

    def bounds(self, alpha: float) -> tuple[float, float]:
        """Return the lower and upper one-sided bounds, each at level ``alpha``; infinite for a single cluster."""
        if self.clusters < 2:
            return -math.inf, math.inf
        half_width = self.quantile(1.0 - alpha) * self.se
        return self.mean - half_width, self.mean + half_width


def clustered_mean(values: ArrayLike, weights: ArrayLike, groups: Sequence[str]) -> ClusteredMean:
    """Estimate the mean of ``values`` under positive ``weights``; ``groups`` names each value's cluster.

    All three must have the same length, at least 1; values and weights must be finite.
    """
    value, weight = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    total = float(weight.sum())
    mean = float((weight * value).sum()) / total
    _, cluster = np.unique(np.asarray(groups), return_inverse=True)
    shares = _sums(cluster, weight / total)
    if shares.size < 2:
        return ClusteredMean(mean=mean, se=math.inf, dof=0.0, clusters=1)
    errors = weight / total * (value - mean)
    sums = _sums(cluster, errors)
    squares = _sums(cluster, (weight / total) ** 2)
    return ClusteredMean(
        mean=mean,
        se=math.sqrt(float((sums**2 / (1.0 - shares)).sum())),
        dof=_satterthwaite(shares, squares, correlation=_correlation(errors, sums, shares, squares)),
        clusters=shares.size,
    )


def _sums(cluster: NDArray[np.intp], values: _Floats) -> _Floats:
    """Return the sum of ``values`` in each cluster; ``cluster`` is each value's cluster index."""
    return np.bincount(cluster, weights=values).astype(np.float64)


def _correlation(errors: _Floats, sums: _Floats, shares: _Floats, squares: _Floats) -> float:
    """Estimate Moulton's intra-cluster correlation, clipped to 0..1."""
    pairs = float((shares**2 - squares).sum())
    variance = float((errors**2).sum() / squares.sum())
    products = float((sums**2).sum() - (errors**2).sum())
    # If every cluster has one value, `pairs` is 0 up to rounding.
    if pairs <= 1e-12 or variance == 0.0:
        return 0.0
    return min(1.0, max(0.0, products / pairs / variance))


def _satterthwaite(shares: _Floats, squares: _Floats, *, correlation: float) -> float:
    """Return Satterthwaite's degrees of freedom, tr(M)²/tr(M²).

    M is the covariance matrix of the clusters' residual sums, each scaled by 1/√(1 - p_g); the variance estimate is
    the sum of their squares. The residual sum of cluster g is u_g - p_g Σu, where p_g is its share of the weight and
    the u are independent with variances v. Off the diagonal, M is a sum of three rank-one matrices, so tr(M²) is
    computed without building M.
    """
    p, scale = shares, 1.0 / (1.0 - shares)
    v = (1.0 - correlation) * squares + correlation * shares**2
    total = v.sum()
    diagonal = scale * (v * (1.0 - 2.0 * p) + p**2 * total)
    pp, pv, vv = (scale * p * p).sum(), (scale * p * v).sum(), (scale * v * v).sum()
    rank_one = 2.0 * (pp * vv + pv**2 - 2.0 * total * pp * pv) + (total * pp) ** 2
    rank_one_diagonal = ((scale * p * (2.0 * v - total * p)) ** 2).sum()
    return float(diagonal.sum() ** 2 / ((diagonal**2).sum() + rank_one - rank_one_diagonal))
