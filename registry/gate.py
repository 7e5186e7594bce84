"""The gate: is a candidate better on what is new, and no worse on what is old? Pure statistics.

Live version and candidate answer for the same held-out conversations. Compared is the loss per assistant token,
a ratio of sums, so that one-word replies don't outweigh long ones. Its difference has a cluster-robust standard
error, as the conversations of one user depend on each other (ratio estimator: Cochran 1977, chapter 6; clusters:
Cameron and Miller 2015, "A Practitioner's Guide to Cluster-Robust Inference", with the G/(G-1) correction and
t quantiles of G-1 degrees of freedom).

A candidate passes only if it passes on every slice, each at the full level; as all have to pass, the chance to let
a bad one through is at most that level (intersection-union test: Berger 1982). A candidate that is looked at again
with more data gets several chances, so each look is held to ``alpha / max_looks`` (Bonferroni).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from registry.errors import RegistryError
from registry.types import GateReport, GateVerdict, SliceReport

_POWER = 0.8
_MOST_NEEDED = 1_000_000


class BadPairs(RegistryError):
    """The scores can't be compared: a conversation comes twice, or a loss is not a finite number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One held-out conversation under both versions. Losses are summed over its tokens, in nats."""

    id: str
    group: str  # pairs of one group depend on each other
    live_nll: float
    candidate_nll: float
    tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceData:
    """The pairs of one slice. A target slice has to be won; a protected one must not be lost."""

    name: str
    role: str  # "target" or "protected"
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GateSettings:
    """What a candidate must show."""

    alpha: float = 0.05  # chance that a candidate passes that should not, over all looks
    margin: float = 0.02  # nats per token it may be worse on protected slices
    min_gain: float = 0.0  # nats per token it must be better on target slices
    max_looks: int = 3
    min_clusters: int = 20  # fewer users (or conversations) than this are no evidence


def judge(slices: Sequence[SliceData], settings: GateSettings, *, look: int) -> GateReport:
    """Compare candidate and live version on all slices and answer promote, reject or inconclusive.

    Without a target slice there is nothing to win, and the answer is inconclusive. Raises BadPairs.
    """
    level = settings.alpha / settings.max_looks
    reports = tuple(_judge_slice(found, settings, level) for found in slices)
    if not any(report.role == "target" for report in reports):
        reason = "there are no held-out conversations of what is new yet"
        return GateReport(
            verdict=GateVerdict.INCONCLUSIVE, reason=reason, alpha=settings.alpha, look=look, slices=reports
        )
    verdict = _overall(reports)
    decisive = [report for report in reports if report.verdict is verdict]
    reason = "; ".join(report.reason for report in decisive)
    return GateReport(verdict=verdict, reason=reason, alpha=settings.alpha, look=look, slices=reports)


def _overall(reports: Sequence[SliceReport]) -> GateVerdict:
    found = {report.verdict for report in reports}
    if GateVerdict.REJECT in found:
        return GateVerdict.REJECT
    return GateVerdict.PROMOTE if found == {GateVerdict.PROMOTE} else GateVerdict.INCONCLUSIVE


@dataclass(frozen=True, kw_only=True, slots=True)
class _Estimate:
    """A difference of losses per token with its uncertainty."""

    live: float
    candidate: float
    standard_error: float
    clusters: int

    @property
    def difference(self) -> float:
        return self.candidate - self.live

    def bounds(self, level: float) -> tuple[float, float]:
        """One-sided bounds, each at ``level``; unbounded where there are too few clusters to tell."""
        if self.clusters < 2:
            return -math.inf, math.inf
        reach = float(stats.t.ppf(1 - level, self.clusters - 1)) * self.standard_error
        return self.difference - reach, self.difference + reach


def _estimate(pairs: Sequence[Pair]) -> _Estimate:
    _check(pairs)
    tokens = np.array([pair.tokens for pair in pairs], dtype=float)
    live = np.array([pair.live_nll for pair in pairs])
    candidate = np.array([pair.candidate_nll for pair in pairs])
    total = tokens.sum()
    difference = (candidate - live).sum() / total
    residuals = _sums_by_group(candidate - live - difference * tokens, [pair.group for pair in pairs])
    groups = len(residuals)
    variance = (residuals**2).sum() / total**2 * groups / max(1, groups - 1)
    return _Estimate(
        live=float(live.sum() / total),
        candidate=float(candidate.sum() / total),
        standard_error=float(np.sqrt(variance)),
        clusters=groups,
    )


def _sums_by_group(values: NDArray[np.float64], groups: Sequence[str]) -> NDArray[np.float64]:
    _, index = np.unique(np.array(groups), return_inverse=True)
    return np.bincount(index, weights=values).astype(np.float64)


def _check(pairs: Sequence[Pair]) -> None:
    seen: set[str] = set()
    for pair in pairs:
        if pair.id in seen:
            raise BadPairs(f"conversation {pair.id} is compared twice in one slice")
        seen.add(pair.id)
        if pair.tokens <= 0 or not math.isfinite(pair.live_nll) or not math.isfinite(pair.candidate_nll):
            raise BadPairs(
                f"conversation {pair.id} has no finite loss on its {pair.tokens} tokens; the candidate is broken"
            )


def _judge_slice(data: SliceData, settings: GateSettings, level: float) -> SliceReport:
    threshold = -settings.min_gain if data.role == "target" else settings.margin
    if not data.pairs:
        return _no_evidence(data, settings)
    estimate = _estimate(data.pairs)
    lower, upper = estimate.bounds(level)
    if estimate.clusters < settings.min_clusters:
        verdict, needed = GateVerdict.INCONCLUSIVE, settings.min_clusters - estimate.clusters
    elif upper < threshold:
        verdict, needed = GateVerdict.PROMOTE, 0
    elif lower > threshold:
        verdict, needed = GateVerdict.REJECT, 0
    else:
        verdict, needed = GateVerdict.INCONCLUSIVE, _needed(estimate, len(data.pairs), threshold, level)
    return SliceReport(
        name=data.name,
        role=data.role,
        conversations=len(data.pairs),
        clusters=estimate.clusters,
        live_loss=estimate.live,
        candidate_loss=estimate.candidate,
        difference=estimate.difference,
        lower=max(lower, -1e9),
        upper=min(upper, 1e9),
        verdict=verdict,
        needed=needed,
        reason=_reason(data, estimate, (lower, upper), threshold, verdict, needed),
    )


def _no_evidence(data: SliceData, settings: GateSettings) -> SliceReport:
    return SliceReport(
        name=data.name, role=data.role, conversations=0, clusters=0, live_loss=0.0, candidate_loss=0.0, difference=0.0,
        lower=-1e9, upper=1e9, verdict=GateVerdict.INCONCLUSIVE, needed=settings.min_clusters,
        reason=f"{data.name}: no held-out conversation yet",
    )  # fmt: skip


def _needed(estimate: _Estimate, pairs: int, threshold: float, level: float) -> int:
    """Further conversations for an answer with 80% power, if the difference stays what it seems to be."""
    distance = abs(threshold - estimate.difference)
    wanted = distance / float(stats.norm.ppf(1 - level) + stats.norm.ppf(_POWER))
    if wanted <= 0:
        return _MOST_NEEDED
    total = pairs * (estimate.standard_error / wanted) ** 2
    return int(min(_MOST_NEEDED, max(1, math.ceil(total - pairs))))


def _reason(
    data: SliceData,
    estimate: _Estimate,
    bounds: tuple[float, float],
    threshold: float,
    verdict: GateVerdict,
    needed: int,
) -> str:
    words = {
        GateVerdict.PROMOTE: "better" if data.role == "target" else "not worse",
        GateVerdict.REJECT: "not better" if data.role == "target" else "worse",
        GateVerdict.INCONCLUSIVE: f"undecided, about {needed} more conversations needed",
    }
    return (
        f"{data.name}: {words[verdict]}: {estimate.live:.3f} -> {estimate.candidate:.3f} nats per token, difference "
        f"{estimate.difference:+.3f} ({bounds[0]:+.3f} to {bounds[1]:+.3f}, must be below {threshold:+.3f}) "
        f"on {len(data.pairs)} conversations"
    )
