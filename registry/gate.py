"""The gate: is a candidate better on what is new, and no worse on what is old? Pure statistics.

Live version and candidate answer for the same held-out conversations. Compared is the loss per assistant token, a
ratio of sums, so that one-word replies don't outweigh long ones; its difference is bounded as ``registry.clustered``
says, since the conversations of one user depend on each other.

A candidate passes only if it passes on every slice, each at the full level; as all have to pass, the chance to let
a bad one through is at most that level (intersection-union test: Berger 1982, Technometrics 24(4)). Being no worse
than a margin is shown, not assumed: that no difference was found is no pass (non-inferiority). A candidate that is
looked at again with more data gets several chances, so each look is held to ``alpha / max_looks`` (Bonferroni).
That a look rejects too eagerly on one of many slices costs a candidate, never a bad promotion, and is not corrected.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from registry.clustered import ClusteredMean, clustered_mean
from registry.errors import RegistryError
from registry.names import VersionName
from registry.types import GateReport, GateVerdict, SliceReport

TARGET, PROTECTED = "target", "protected"
_POWER = 0.8
_MOST_NEEDED = 1_000_000


class BadPairs(RegistryError):
    """A slice can't be judged: a conversation comes twice or has no tokens, or the slice's name or role is wrong."""


class BadGateSettings(RegistryError):
    """The gate's settings can't be used."""


class NoLooksLeft(RegistryError):
    """The candidate had all its looks. More would let bad candidates through by chance; train a new one."""


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
    """What a candidate must show. Raises BadGateSettings."""

    alpha: float = 0.05  # chance that a candidate passes that should not, over all looks
    margin: float = 0.02  # nats per token it may be worse on protected slices
    min_gain: float = 0.0  # nats per token it must be better on target slices
    max_looks: int = 3
    min_clusters: int = 20  # fewer users (or conversations) than this are no evidence

    def __post_init__(self) -> None:
        limits = {
            "alpha must be above 0 and below 0.5": 0 < self.alpha < 0.5,
            "margin must not be negative": 0 <= self.margin < math.inf,
            "min_gain must not be negative": 0 <= self.min_gain < math.inf,
            "max_looks must be 1 or more": self.max_looks >= 1,
            "min_clusters must be 2 or more": self.min_clusters >= 2,
        }
        if broken := [rule for rule, kept in limits.items() if not kept]:
            raise BadGateSettings(f"gate: {'; '.join(broken)}")


def judge(
    slices: Sequence[SliceData], settings: GateSettings, *, look: int, against: VersionName | None = None
) -> GateReport:
    """Compare candidate and live version on all slices and answer promote, reject or inconclusive.

    ``look`` counts from 1; ``against`` names the live version, for the report. An answer needs at least one target slice: without, there is nothing to win, and the
    gate is inconclusive. Raises BadPairs, NoLooksLeft.
    """
    if not 1 <= look <= settings.max_looks:
        raise NoLooksLeft(f"look {look} is not one of the {settings.max_looks} looks at a candidate")
    _check(slices)
    reports = tuple(_judge_slice(data, settings) for data in slices)
    verdict = _overall(reports)
    if any(report.role == TARGET for report in reports):
        reason = "; ".join(report.reason for report in reports if report.verdict is verdict)
    else:
        reason = "there are no held-out conversations of what is new yet"
    if verdict is GateVerdict.INCONCLUSIVE and look == settings.max_looks:
        reason += f"; this was the last of {look} looks, a new candidate is needed"
    return GateReport(
        verdict=verdict, reason=reason, alpha=settings.alpha, look=look, slices=reports, against=against
    )


def _check(slices: Sequence[SliceData]) -> None:
    names = [data.name for data in slices]
    if twice := {name for name in names if names.count(name) > 1}:
        raise BadPairs(f"slice {min(twice)} comes twice")
    for data in slices:
        if data.role not in {TARGET, PROTECTED}:
            raise BadPairs(f"slice {data.name} has role {data.role!r}; it must be {TARGET} or {PROTECTED}")
        seen: set[str] = set()
        for pair in data.pairs:
            if pair.id in seen:
                raise BadPairs(f"conversation {pair.id} comes twice in slice {data.name}")
            if pair.tokens <= 0:
                raise BadPairs(
                    f"conversation {pair.id} of slice {data.name} has no tokens to score; leave it out"
                )
            seen.add(pair.id)


def _overall(reports: Sequence[SliceReport]) -> GateVerdict:
    found = {report.verdict for report in reports}
    if GateVerdict.REJECT in found:
        return GateVerdict.REJECT
    won = found == {GateVerdict.PROMOTE} and any(report.role == TARGET for report in reports)
    return GateVerdict.PROMOTE if won else GateVerdict.INCONCLUSIVE


def _judge_slice(data: SliceData, settings: GateSettings) -> SliceReport:
    if not data.pairs:
        return _without_numbers(data, settings, GateVerdict.INCONCLUSIVE, "no held-out conversation yet")
    for version, losses in (
        ("live version", [pair.live_nll for pair in data.pairs]),
        ("candidate", [pair.candidate_nll for pair in data.pairs]),
    ):
        broken = [pair.id for pair, loss in zip(data.pairs, losses, strict=True) if not math.isfinite(loss)]
        if broken:
            # A candidate that breaks is bad; a live version that does is no yardstick for any.
            verdict = GateVerdict.REJECT if version == "candidate" else GateVerdict.INCONCLUSIVE
            said = f"the {version}'s loss is not a finite number on {len(broken)} conversations, {broken[0]} first"
            return _without_numbers(data, settings, verdict, said)
    return _compare(data, settings)


def _without_numbers(data: SliceData, settings: GateSettings, verdict: GateVerdict, said: str) -> SliceReport:
    """Report on a slice that has no difference to speak of: unbounded, so that it can't be taken for a good one."""
    clusters = len({pair.group for pair in data.pairs})
    decided = verdict is not GateVerdict.INCONCLUSIVE
    return SliceReport(
        name=data.name,
        role=data.role,
        conversations=len(data.pairs),
        clusters=clusters,
        live_loss=math.inf,
        candidate_loss=math.inf,
        difference=math.inf,
        lower=-math.inf,
        upper=math.inf,
        verdict=verdict,
        needed=0 if decided else max(1, settings.min_clusters - clusters),
        reason=f"{data.name}: {said}",
    )


def _compare(data: SliceData, settings: GateSettings) -> SliceReport:
    threshold = 0.0 - settings.min_gain if data.role == TARGET else settings.margin
    level = settings.alpha / settings.max_looks
    tokens = [pair.tokens for pair in data.pairs]
    differences = [(pair.candidate_nll - pair.live_nll) / pair.tokens for pair in data.pairs]
    estimate = clustered_mean(differences, tokens, [pair.group for pair in data.pairs])
    lower, upper = estimate.bounds(level)
    if estimate.clusters < settings.min_clusters:
        missing = settings.min_clusters - estimate.clusters
        verdict = GateVerdict.INCONCLUSIVE
        needed = math.ceil(missing * len(data.pairs) / estimate.clusters)
    else:
        verdict = _verdict(lower, upper, threshold)
        undecided = verdict is GateVerdict.INCONCLUSIVE
        needed = _needed(estimate, len(data.pairs), threshold, level) if undecided else 0
    live = math.fsum(pair.live_nll for pair in data.pairs) / sum(tokens)
    found = SliceReport(
        name=data.name,
        role=data.role,
        conversations=len(data.pairs),
        clusters=estimate.clusters,
        live_loss=live,
        candidate_loss=live + estimate.mean,
        difference=estimate.mean,
        lower=lower,
        upper=upper,
        verdict=verdict,
        needed=needed,
        reason="",
    )
    return replace(found, reason=_reason(found, threshold))


def _verdict(lower: float, upper: float, threshold: float) -> GateVerdict:
    if upper < threshold:
        return GateVerdict.PROMOTE
    # Equal counts: a candidate that changes nothing wins nothing.
    return GateVerdict.REJECT if lower >= threshold else GateVerdict.INCONCLUSIVE


def _needed(estimate: ClusteredMean, pairs: int, threshold: float, level: float) -> int:
    """Further conversations for an answer with 80% power, if the difference is what it seems to be."""
    wanted = abs(threshold - estimate.mean) / (estimate.quantile(1.0 - level) + NormalDist().inv_cdf(_POWER))
    most = estimate.se / math.sqrt((pairs + _MOST_NEEDED) / pairs)
    if wanted <= most:
        return _MOST_NEEDED
    return max(1, math.ceil(pairs * (estimate.se / wanted) ** 2) - pairs)


def _reason(found: SliceReport, threshold: float) -> str:
    words = {
        GateVerdict.PROMOTE: "better" if found.role == TARGET else "not worse",
        GateVerdict.REJECT: "not better" if found.role == TARGET else "worse",
        GateVerdict.INCONCLUSIVE: f"undecided, about {found.needed} more conversations needed",
    }
    return (
        f"{found.name}: {words[found.verdict]}: {found.live_loss:.3f} -> {found.candidate_loss:.3f} nats per token, "
        f"difference {found.difference:+.3f} ({found.lower:+.3f} to {found.upper:+.3f}, must be below "
        f"{threshold:+.3f}) on {found.conversations} conversations of {found.clusters} users"
    )
