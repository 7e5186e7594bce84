"""Metrics of the gate and of promotions."""

from typing import Literal, TypeAlias, get_args

from daemon.telemetry.instruments import Counter, Gauge, GaugeReadings, LabelledMetric, MetricFactory
from registry.names import VersionName
from registry.types import GateReport, GateVerdict, Measure, Promotion, PromotionKind

#: What an operator can hold: promotion by the daemon, and training.
HeldActivity: TypeAlias = Literal["promotion", "training"]
ActorKind: TypeAlias = Literal["daemon", "operator"]
GateSide: TypeAlias = Literal["live", "candidate"]


class ReleaseMetrics:
    """Metrics of the gate and of promotions."""

    def __init__(self, factory: MetricFactory) -> None:
        self.versions = factory.gauge(
            "retuned_versions", "Versions in the registry, including the bare base model."
        )
        self._verdicts: LabelledMetric[Counter, GateVerdict] = LabelledMetric(
            factory.counter("retuned_gate_verdicts_total", "Gate verdicts, by verdict.", verdict=GateVerdict)
        )
        self._difference: GaugeReadings[str] = factory.readings(
            "retuned_gate_loss_difference_nats_per_token",
            "Loss of the latest candidate minus that of the live version, on the worst slice of each role. Negative is better.",
            "role",
            unit="nats_per_token",
        )
        self._check_failures: GaugeReadings[str, GateSide] = factory.readings(
            "retuned_gate_check_failures",
            "Answers that failed a check at the gate's latest look, of the live version and of the candidate, on the same prompts.",
            "check",
            "side",
        )
        self._figures: GaugeReadings[str, GateSide] = factory.readings(
            "retuned_gate_figure",
            "Figures of the gate's latest look that do not decide, such as token F1 against good answers, 0 to 1.",
            "figure",
            "side",
        )
        self._promotions: LabelledMetric[Counter, PromotionKind, ActorKind] = LabelledMetric(
            factory.counter(
                "retuned_promotions_total",
                "Promotions, by kind and actor.",
                kind=PromotionKind,
                actor=get_args(ActorKind),
            )
        )
        self._info: GaugeReadings[str, VersionName] = factory.readings(
            "retuned_live_version_info",
            "1 for the live version. Absent for all others.",
            "model_line",
            "version",
        )
        self._number: GaugeReadings[str] = factory.readings(
            "retuned_live_version_number",
            "Number of the live version. 0 is the bare base model.",
            "model_line",
        )
        self._add_waits(factory)
        self.held: LabelledMetric[Gauge, HeldActivity] = LabelledMetric(
            factory.gauge(
                "retuned_held",
                "1 while an operator holds automatic promotion (`retuned hold`, a rollback) or pauses training.",
                "what",
            )
        )

    def _add_waits(self, factory: MetricFactory) -> None:
        self._live_since: GaugeReadings[PromotionKind] = factory.readings(
            "retuned_live_since_timestamp_seconds",
            "Unix time since which the live version is live, by the kind of entry that made it so. The leader alone has it.",
            "kind",
            unit="seconds",
        )
        self._gate_since: GaugeReadings[()] = factory.readings(
            "retuned_gate_open_since_timestamp_seconds",
            "Unix time since which the newest version waits for the gate's decision. Absent while none does; the leader alone has it.",
            unit="seconds",
        )

    def live_since(self, kind: PromotionKind, timestamp: float) -> None:
        """Show since when the live version is live."""
        self._live_since.replace({(kind,): timestamp})

    def gate_open_since(self, timestamp: float | None) -> None:
        """Show since when a version waits for the gate's decision; None: none does."""
        self._gate_since.replace({} if timestamp is None else {(): timestamp})

    def silent(self) -> None:
        """Show nothing of the line: another replica may lead, and see what this one no longer sees."""
        self._live_since.replace({})
        self._gate_since.replace({})

    def judged(self, report: GateReport) -> None:
        """Count the verdict, and replace the figures of the previous candidate."""
        self._verdicts(report.verdict).inc()
        worst: dict[tuple[str], float] = {}
        losses = (found for found in report.slices if found.measure is Measure.LOSS and found.decides)
        for found in losses:
            worst[found.role,] = max(found.difference, worst.get((found.role,), found.difference))
        self._difference.replace(worst)
        failures: dict[tuple[str, GateSide], float] = {}
        for check in report.checks:
            failures[check.name, "live"] = check.live_failed
            failures[check.name, "candidate"] = check.candidate_failed
        self._check_failures.replace(failures)
        figures: dict[tuple[str, GateSide], float] = {}
        for figure in report.figures:
            figures[figure.name, "live"], figures[figure.name, "candidate"] = figure.live, figure.candidate
        self._figures.replace(figures)

    def promoted(self, promotion: Promotion) -> None:
        """Count a promotion or rollback, and show its version as live."""
        actor: ActorKind = "daemon" if promotion.by.kind == "daemon" else "operator"
        self._promotions(promotion.kind, actor).inc()
        self.live_is(promotion.version)

    def live_is(self, version: VersionName | None) -> None:
        """Show only this version as live; None: no version is live."""
        self._info.replace({(version.line, version): 1.0} if version else {})
        self._number.replace({(version.line,): version.number} if version else {})
