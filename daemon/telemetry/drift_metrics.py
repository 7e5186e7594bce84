"""Metrics of drift detection."""

from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.situation import SituationState
from daemon.telemetry.buckets import UP_TO_MINUTES
from daemon.telemetry.instruments import Counter, Gauge, GaugeReadings, LabelledMetric, MetricFactory
from monitors.false_alarm_rate import score_of
from monitors.types import Aspect, Finding, Outcome, Verdict

_COLUMNS = "columns"  # the monitor with a test a column
_NOTHING = "none"  # nothing called for a decision


class DriftMetrics:
    """Metrics of drift detection and of the decisions that follow."""

    def __init__(self, factory: MetricFactory) -> None:
        self.windows_closed = factory.counter("retuned_windows_closed_total", "Windows closed.")
        self.windows_waiting = factory.gauge("retuned_windows_waiting", "Closed windows without verdicts.")
        self.verdicts: LabelledMetric[Counter, str, Finding] = LabelledMetric(
            factory.counter(
                "retuned_verdicts_total",
                "Verdicts on windows, by monitor and finding.",
                monitor=(),
                finding=Finding,
            )
        )
        self.score = _by_monitor(factory, "retuned_drift_score", "Score of the latest verdict, by monitor.")
        self.threshold = _by_monitor(
            factory, "retuned_drift_threshold", "Score at which the monitor finds drift, by monitor."
        )
        self.evidence: LabelledMetric[Gauge, Aspect] = LabelledMetric(
            factory.gauge(
                "retuned_change_evidence",
                "Likelihood ratio of change against no change for the latest conversations, by aspect.",
                "aspect",
            )
        )
        self.mean_evidence = factory.gauge(
            "retuned_change_evidence_mean",
            "Mean evidence over all aspects. The detector alarms when it reaches monitors.conversations_between_false_alarms.",
        )
        self.evidence_threshold = factory.gauge(
            "retuned_change_evidence_threshold",
            "Mean evidence at which the detector alarms, as monitors.conversations_between_false_alarms says.",
        )
        self._columns: GaugeReadings[str] = factory.readings(
            "retuned_column_drift_score",
            "Evidently's test of the latest window, by column: log10(p) over log10 of the significance level. 1 or more is drift.",
            "column",
        )
        self.alarms: LabelledMetric[Counter, Aspect] = LabelledMetric(
            factory.counter(
                "retuned_alarms_total",
                "Alarms of the sequential detector, by leading aspect. A lasting change raises one alarm.",
                aspect=Aspect,
            )
        )
        self.errors: LabelledMetric[Counter, str] = LabelledMetric(
            factory.counter(
                "retuned_monitor_errors_total",
                "Windows that a monitor failed to judge, by monitor.",
                monitor=(),
            )
        )
        self.judging = factory.seconds(
            "retuned_judging_seconds", "Duration of judging one window with all monitors.", UP_TO_MINUTES
        )
        self._add_decisions(factory)
        self._situation = _situation(factory)
        self._add_triage(factory)

    def _add_decisions(self, factory: MetricFactory) -> None:
        self._decisions: LabelledMetric[Counter, Trigger, Action] = LabelledMetric(
            factory.counter(
                "retuned_decisions_total",
                "Training decisions, by trigger and resulting action.",
                trigger=Trigger,
                action=Action,
            )
        )
        self._last_decision: GaugeReadings[str, Action, str] = factory.readings(
            "retuned_last_decision_timestamp_seconds",
            "Unix time of the last decision of this process about training, by what called for it, its action and its ground. Absent before the first.",
            "trigger",
            "action",
            "ground",
            unit="seconds",
        )

    def _add_triage(self, factory: MetricFactory) -> None:
        self._triage: GaugeReadings[Outcome] = factory.readings(
            "retuned_open_change_triage",
            "1 for the outcome of the triage of the change that is open. Absent without a triaged one; the leader alone has it.",
            "outcome",
        )
        self.triages: LabelledMetric[Counter, Outcome] = LabelledMetric(
            factory.counter("retuned_triages_total", "Triaged alarms, by outcome.", outcome=Outcome)
        )

    def situation_is(self, state: SituationState | None, triage: Outcome | None = None) -> None:
        """Show what is going on, and how the open change was triaged; None: this replica does not lead."""
        states = () if state is None else tuple(SituationState)
        self._triage.replace({} if triage is None else {(triage,): 1.0})
        self._situation.replace({(each,): float(each is state) for each in states})

    def decided(self, decision: Decision) -> None:
        """Count a decision that something called for, and show it as the last one."""
        if decision.trigger is not None:
            self._decisions(decision.trigger, decision.action).inc()
        self.last_decision_is(decision)

    def last_decision_is(self, decision: Decision) -> None:
        """Show a decision as the last one."""
        labels = (decision.trigger or _NOTHING, decision.action, decision.ground or _NOTHING)
        self._last_decision.replace({labels: decision.at.timestamp()})

    def judged(self, verdict: Verdict) -> None:
        """Count a verdict, and show its score and threshold."""
        self.verdicts(verdict.monitor, verdict.finding).inc()
        self.score(verdict.monitor).set(verdict.score)
        self.threshold(verdict.monitor).set(verdict.threshold)
        if verdict.monitor == _COLUMNS:
            self._columns.replace(
                {
                    (name.removeprefix("p_"),): score_of(p) / verdict.threshold
                    for name, p in verdict.numbers.items()
                }
            )


def _by_monitor(factory: MetricFactory, name: str, meaning: str) -> LabelledMetric[Gauge, str]:
    return LabelledMetric(factory.gauge(name, meaning, "monitor"))


def _situation(factory: MetricFactory) -> GaugeReadings[SituationState]:
    return factory.readings(
        "retuned_situation",
        "What is going on, as `retuned status` says it: 1 for the current state, 0 for the others. The leader alone has it.",
        "state",
    )
