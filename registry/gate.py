"""The statistical gate: a candidate must be better on new lessons, not worse on old ones, and fail no check more often.

Both versions are scored on the same held-out lessons. The gate compares the loss per token of their good answers, a
ratio of sums, so that short answers do not outweigh long ones. On lessons that prefer one answer to another it compares
the margin: by how many nats per token the preferred answer is likelier, a mean over pairs. ``registry.clustered``
computes the confidence bounds of the difference, because lessons of one user are correlated.

A candidate passes only if it passes on every slice. Each slice is tested at the same level without a correction,
because an intersection-union test keeps the probability of passing a bad candidate at or below that level (Berger
1982, Technometrics 24(4)). On old conversations the test is one of non-inferiority: a missing difference alone does
not pass. A candidate can be judged up to ``max_looks`` times, so each look is tested at ``alpha / max_looks``
(Bonferroni). Rejections are not corrected for the number of slices: a false rejection discards a candidate but never
promotes a bad one. ``registry.checks`` tests what both versions write; such a test can only reject.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from registry.checks import CheckData, judge_checks
from registry.clustered import ClusteredMean, clustered_mean
from registry.errors import RegistryError
from registry.names import VersionName
from registry.types import CheckReport, Figure, GateReport, GateVerdict, Measure, SliceReport

TARGET, PROTECTED, REPORTED = "target", "protected", "reported"
_POWER = 0.8  # of the test, for which further conversations are estimated
_MAX_NEEDED = 1_000_000  # conversations; a larger estimate is reported as this


class BadPairs(RegistryError):
    """A slice can't be judged: it has a duplicate or empty conversation, a duplicate name or an unknown role."""


class BadGateSettings(RegistryError):
    """A setting of the gate is out of range."""


class NoLooksLeft(RegistryError):
    """The candidate has used all its looks. Train a new one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One held-out lesson scored by both versions. Losses are sums over the tokens of its good answers, in nats."""

    id: str
    group: str  # the user, or the conversation if it has none; pairs of one group are correlated
    live_nll: float
    candidate_nll: float
    tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredAnswer:
    """One version's loss on one answer: the sum over its tokens, in nats."""

    nll: float
    tokens: int  # 1 or more


def preference_margin(preferred: ScoredAnswer, rejected: ScoredAnswer) -> float:
    """Return by how many nats per token a version finds the preferred answer likelier than the rejected one."""
    return rejected.nll / rejected.tokens - preferred.nll / preferred.tokens


def margin_pair(lesson_id: str, group: str, *, live: float, candidate: float) -> Pair:
    """Return a pair of margins in nats per token. Each counts alike, however long its answers are."""
    return Pair(id=lesson_id, group=group, live_nll=-live, candidate_nll=-candidate, tokens=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceData:
    """The pairs of one slice.

    The candidate must be better on a target slice and not worse on a protected one; a reported one does not decide. A
    slice of margins or ends that is undecided is reported as well: these scatter, and preferences are rare, so that a
    harmless candidate would wait for them without end. Such a slice finds harm and proves nothing.
    """

    name: str
    role: str  # "target", "protected" or "reported"
    pairs: tuple[Pair, ...]
    measure: Measure = Measure.LOSS  # of margins, make the pairs by ``margin_pair``
    tolerance: float | None = (
        None  # how much worse a protected slice may be, in place of ``GateSettings.margin``
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class GateSettings:
    """What a candidate must show. Raises BadGateSettings for a value out of range."""

    alpha: float = 0.05  # highest probability that a bad candidate passes, over all looks
    margin: float = 0.02  # nats per token by which it may be worse on protected slices
    min_gain: float = 0.0  # nats per token by which it must be better on target slices
    max_looks: int = 3
    min_clusters: int = 20  # with fewer users, the bounds of a slice are not used

    def __post_init__(self) -> None:
        limits = {
            "alpha must be above 0 and below 0.5": 0 < self.alpha < 0.5,
            "margin must not be negative": 0 <= self.margin < math.inf,
            "min_gain must not be negative": 0 <= self.min_gain < math.inf,
            "max_looks must be 1 or more": self.max_looks >= 1,
            "min_clusters must be 2 or more": self.min_clusters >= 2,
        }
        if broken := [rule for rule, holds in limits.items() if not holds]:
            raise BadGateSettings(f"gate: {'; '.join(broken)}")


def judge(
    slices: Sequence[SliceData],
    settings: GateSettings,
    *,
    look: int,
    against: VersionName | None = None,
    checks: Sequence[CheckData] = (),
    figures: Sequence[Figure] = (),
) -> GateReport:
    """Compare candidate and live version on all slices and checks and return promote, reject or inconclusive.

    ``look`` counts from 1; ``against`` is the live version, for the report, and so are ``figures``. Without a target
    slice the gate never promotes. Raises BadPairs, BadChecks, NoLooksLeft.
    """
    if not 1 <= look <= settings.max_looks:
        raise NoLooksLeft(f"look {look} is outside 1..{settings.max_looks}; train a new candidate")
    _check(slices)
    reports = tuple(_without_deciding(_judge_slice(data, settings)) for data in slices)
    checked = judge_checks(checks, alpha=settings.alpha / settings.max_looks)
    verdict = _overall(reports, checked)
    reason = _overall_reason(verdict, reports, checked)
    if verdict is GateVerdict.INCONCLUSIVE and look == settings.max_looks:
        reason += f"; this was the last of {look} looks, a new candidate is needed"
    return GateReport(
        verdict=verdict,
        reason=reason,
        alpha=settings.alpha,
        look=look,
        slices=reports,
        against=against,
        checks=checked,
        figures=tuple(figures),
    )


def _check(slices: Sequence[SliceData]) -> None:
    """Raise BadPairs for slices that can't be judged."""
    names = [data.name for data in slices]
    if duplicates := {name for name in names if names.count(name) > 1}:
        raise BadPairs(f"slice {min(duplicates)} is given twice")
    for data in slices:
        if data.role not in {TARGET, PROTECTED, REPORTED}:
            raise BadPairs(
                f"slice {data.name} has role {data.role!r}; it must be {TARGET}, {PROTECTED} or {REPORTED}"
            )
        seen: set[str] = set()
        for pair in data.pairs:
            if pair.id in seen:
                raise BadPairs(f"conversation {pair.id} is given twice in slice {data.name}")
            if pair.tokens <= 0:
                raise BadPairs(
                    f"conversation {pair.id} of slice {data.name} has no tokens to score; leave it out"
                )
            seen.add(pair.id)


def _overall(reports: Sequence[SliceReport], checks: Sequence[CheckReport]) -> GateVerdict:
    """Return reject if a slice or a check rejects, promote if all slices pass and one is a target, else inconclusive."""
    verdicts = {report.verdict for report in reports if report.decides}
    if GateVerdict.REJECT in verdicts or any(check.verdict is GateVerdict.REJECT for check in checks):
        return GateVerdict.REJECT
    passed = verdicts == {GateVerdict.PROMOTE} and any(report.role == TARGET for report in reports)
    return GateVerdict.PROMOTE if passed else GateVerdict.INCONCLUSIVE


def _overall_reason(
    verdict: GateVerdict, reports: Sequence[SliceReport], checks: Sequence[CheckReport]
) -> str:
    """Return what led to the verdict: the slices with the same one, and the checks that reject or found no harm."""
    reasons = [report.reason for report in reports if report.decides and report.verdict is verdict]
    if verdict is GateVerdict.INCONCLUSIVE and not any(report.role == TARGET for report in reports):
        return "there are no new held-out conversations yet"
    if verdict is GateVerdict.REJECT:
        reasons += [check.reason for check in checks if check.verdict is verdict]
    elif verdict is GateVerdict.PROMOTE and checks:
        harmless = sum(check.verdict is GateVerdict.PROMOTE for check in checks)
        reasons.append(
            f"what it writes: {harmless} of {len(checks)} checks had enough prompts, none found harm"
        )
    return "; ".join(reasons)


def _without_deciding(report: SliceReport) -> SliceReport:
    """Return an undecided slice of margins or ends as one that is reported; others as they are."""
    undecided = report.measure is not Measure.LOSS and report.verdict is GateVerdict.INCONCLUSIVE
    return replace(report, role=REPORTED) if undecided else report


def _judge_slice(data: SliceData, settings: GateSettings) -> SliceReport:
    if not data.pairs:
        return _without_numbers(data, settings, GateVerdict.INCONCLUSIVE, "no held-out conversation yet")
    for version, losses in (
        ("live version", [pair.live_nll for pair in data.pairs]),
        ("candidate", [pair.candidate_nll for pair in data.pairs]),
    ):
        bad = [pair.id for pair, loss in zip(data.pairs, losses, strict=True) if not math.isfinite(loss)]
        if bad:
            # Without finite losses of the live version there is nothing to compare the candidate with.
            verdict = GateVerdict.REJECT if version == "candidate" else GateVerdict.INCONCLUSIVE
            why = f"the {version}'s loss is not a finite number on {len(bad)} conversations, {bad[0]} first"
            return _without_numbers(data, settings, verdict, why)
    return _compare(data, settings)


def _without_numbers(data: SliceData, settings: GateSettings, verdict: GateVerdict, why: str) -> SliceReport:
    """Return the report on a slice without an estimate. Losses, difference and bounds are infinite."""
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
        reason=f"{data.name}: {why}",
        measure=data.measure,
    )


def _compare(data: SliceData, settings: GateSettings) -> SliceReport:
    """Estimate the difference on a slice with finite losses, and decide."""
    tolerance = settings.margin if data.tolerance is None else data.tolerance
    threshold = 0.0 - settings.min_gain if data.role == TARGET else tolerance
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
    report = SliceReport(
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
        measure=data.measure,
    )
    return replace(report, reason=_reason(report, threshold))


def _verdict(lower: float, upper: float, threshold: float) -> GateVerdict:
    if upper < threshold:
        return GateVerdict.PROMOTE
    # An equal bound rejects: a candidate with exactly the same losses is not better.
    return GateVerdict.REJECT if lower >= threshold else GateVerdict.INCONCLUSIVE


def _needed(estimate: ClusteredMean, pairs: int, threshold: float, level: float) -> int:
    """Return how many further conversations give the test 80% power, if the true difference is the estimated one.

    The standard error is taken to fall with the square root of the number of conversations.
    """
    distance = abs(threshold - estimate.mean)
    required_se = distance / (estimate.quantile(1.0 - level) + NormalDist().inv_cdf(_POWER))
    smallest_se = estimate.se / math.sqrt((pairs + _MAX_NEEDED) / pairs)
    if required_se <= smallest_se:
        return _MAX_NEEDED
    return max(1, math.ceil(pairs * (estimate.se / required_se) ** 2) - pairs)


def _reason(report: SliceReport, threshold: float) -> str:
    things = "pairs" if report.measure is Measure.MARGIN else "conversations"
    answers = {
        GateVerdict.PROMOTE: "better" if report.role == TARGET else "not worse",
        GateVerdict.REJECT: "not better" if report.role == TARGET else "worse",
        GateVerdict.INCONCLUSIVE: f"undecided, about {report.needed} more {things} needed",
    }
    return (
        f"{report.name}: {answers[report.verdict]}: {_numbers(report, threshold)} on {report.conversations} {things} "
        f"of {report.clusters} users"
    )


def _numbers(report: SliceReport, threshold: float) -> str:
    """Return the comparison in numbers; of margins, of which a higher one is better, with their signs turned."""
    if report.measure is Measure.MARGIN:
        return (
            f"margin {-report.live_loss:.3f} -> {-report.candidate_loss:.3f} nats per token, difference "
            f"{-report.difference:+.3f} ({-report.upper:+.3f} to {-report.lower:+.3f}, must be above {-threshold:+.3f})"
        )
    unit = "nats per end" if report.measure is Measure.END else "nats per token"
    return (
        f"{report.live_loss:.3f} -> {report.candidate_loss:.3f} {unit}, difference {report.difference:+.3f} "
        f"({report.lower:+.3f} to {report.upper:+.3f}, must be below {threshold:+.3f})"
    )
