"""The catalogue of metrics: every ``retuned_*`` series with its type, unit, labels and meaning."""

from importlib.metadata import version as installed_version
from typing import Literal, TypeAlias, get_args

from daemon.domain.bad_record import Reason
from daemon.domain.decisions import Action, Trigger
from daemon.domain.halts import HaltKind
from daemon.domain.personal_data import PersonalData
from daemon.domain.runs import RunState
from daemon.telemetry.instruments import (
    Counter,
    Gauge,
    GaugeReadings,
    LabelledMetric,
    MetricEntry,
    MetricFactory,
)
from learners.types import Progress
from monitors.false_alarm_rate import score_of
from monitors.types import Aspect, Finding, Outcome, Verdict
from registry.names import VersionName
from registry.types import GateReport, GateVerdict, Promotion, PromotionKind

RecordKind: TypeAlias = Literal[
    "conversation", "feedback", "other_line", "duplicate", "not_admitted", "forgotten"
]
Split: TypeAlias = Literal["train", "heldout"]
ChildName: TypeAlias = Literal["scorer", "trainer", "judge", "embedder"]
Pruned: TypeAlias = Literal[
    "conversations", "feedback", "scores", "losses", "dead_letters", "halts", "offset_changes", "train_requests",
    "training_records", "runs", "triages", "decisions", "windows", "reports", "alarms", "detectors",
    "reference_sets", "reference_freezes",
]  # fmt: skip
ActorKind: TypeAlias = Literal["daemon", "operator"]

_ENDED = (RunState.FINISHED, RunState.FAILED, RunState.CANCELLED)
_COLUMNS = "columns"  # the monitor with a test a column
_UP_TO_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_UP_TO_MINUTES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_UP_TO_HOURS = (30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0)


class IntakeMetrics:
    """What arrives from the broker, and what can't be used."""

    def __init__(self, declare: MetricFactory) -> None:
        self.records: LabelledMetric[Counter, RecordKind] = LabelledMetric(
            declare.counter(
                "retuned_intake_records_total", "Usable records read, by kind.", kind=get_args(RecordKind)
            )
        )
        self.conversations: LabelledMetric[Counter, Split] = LabelledMetric(
            declare.counter(
                "retuned_conversations_total",
                "Conversations kept, by whether they may be trained on (train) or only judged on (heldout).",
                split=get_args(Split),
            )
        )
        self.rejected: LabelledMetric[Counter, str] = LabelledMetric(
            declare.counter(
                "retuned_records_rejected_total", "Records that can't be used, by reason.", reason=Reason
            )
        )
        self.redacted: LabelledMetric[Counter, PersonalData] = LabelledMetric(
            declare.counter(
                "retuned_redacted_total",
                "Pieces of personal data taken out of records, by kind.",
                kind=PersonalData,
            )
        )
        self.dead_letters = declare.counter(
            "retuned_dead_letters_published_total", "Rejected records that the dead-letter topic has taken."
        )
        self.dead_letters_waiting = declare.gauge(
            "retuned_dead_letters_waiting",
            "Rejected records that are still to be published to the dead-letter topic.",
        )
        self.lag: GaugeReadings[int] = declare.readings(
            "retuned_consumer_lag_records",
            "Records of an assigned partition that are not read yet.",
            "partition",
            unit="records",
        )
        #: A time and not an age: an age would stand still, looking well, when the loop hangs.
        self.last_record_at = declare.gauge(
            "retuned_last_record_timestamp_seconds",
            "Unix time at which the last record was read; time() minus this is how long ago. 0: none since the start.",
            unit="seconds",
        )
        self.broker_connected = declare.gauge(
            "retuned_broker_connected", "1 while the broker answers, else 0."
        )
        self.halted: GaugeReadings[HaltKind] = declare.readings(
            "retuned_intake_halted", "1 while intake waits for an operator, by reason, else 0.", "reason"
        )
        self.batch = declare.seconds(
            "retuned_intake_batch_seconds", "Time to decode and store one batch of records.", _UP_TO_SECONDS
        )


class DriftMetrics:
    """What the monitors say, and what is decided on it."""

    def __init__(self, declare: MetricFactory) -> None:
        self.windows_closed = declare.counter(
            "retuned_windows_closed_total", "Windows closed, by count or age."
        )
        self.windows_waiting = declare.gauge(
            "retuned_windows_waiting", "Closed windows without all verdicts."
        )
        self.verdicts: LabelledMetric[Counter, str, Finding] = LabelledMetric(
            declare.counter(
                "retuned_verdicts_total",
                "Verdicts on windows, by monitor and what it found.",
                monitor=(),
                finding=Finding,
            )
        )
        self.score: LabelledMetric[Gauge, str] = LabelledMetric(
            declare.gauge("retuned_drift_score", "Score of the latest verdict of a monitor.", "monitor")
        )
        self.threshold: LabelledMetric[Gauge, str] = LabelledMetric(
            declare.gauge(
                "retuned_drift_threshold", "Score from which on the monitor finds drift.", "monitor"
            )
        )
        self.evidence: LabelledMetric[Gauge, Aspect] = LabelledMetric(
            declare.gauge(
                "retuned_change_evidence",
                "How many times as likely the latest conversations are as with no change, by aspect.",
                "aspect",
            )
        )
        self.mean_evidence = declare.gauge(
            "retuned_change_evidence_mean",
            "Mean of the evidence over all aspects; alarm from monitors.conversations_between_false_alarms on.",
        )
        self._columns: GaugeReadings[str] = declare.readings(
            "retuned_column_drift_score",
            "Evidently's test of a column of the latest window: -log10 of p over that of its level; drift from 1 on.",
            "column",
        )
        self.alarms: LabelledMetric[Counter, Aspect] = LabelledMetric(
            declare.counter(
                "retuned_alarms_total",
                "Alarms of the sequential detector, by the leading aspect; one for a change that lasts.",
                aspect=Aspect,
            )
        )
        self.errors: LabelledMetric[Counter, str] = LabelledMetric(
            declare.counter(
                "retuned_monitor_errors_total", "Failures of a monitor to judge a window.", monitor=()
            )
        )
        self.judging = declare.seconds(
            "retuned_judging_seconds", "Time in which all monitors judged a window.", _UP_TO_MINUTES
        )
        self.decisions: LabelledMetric[Counter, Trigger, Action] = LabelledMetric(
            declare.counter(
                "retuned_decisions_total",
                "Decisions whether to train, by what asked for one and what was decided.",
                trigger=Trigger,
                action=Action,
            )
        )

        self.triages: LabelledMetric[Counter, Outcome] = LabelledMetric(
            declare.counter(
                "retuned_triages_total",
                "Confirmed alarms that were looked into, by what is to be done about the change.",
                outcome=Outcome,
            )
        )

    def judged(self, verdict: Verdict) -> None:
        """Count a verdict and show its score beside its threshold."""
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


class TrainingMetrics:
    """How the run that is going gets on, and how earlier ones ended."""

    def __init__(self, declare: MetricFactory) -> None:
        self.runs: LabelledMetric[Counter, RunState] = LabelledMetric(
            declare.counter("retuned_runs_total", "Runs ended, by outcome.", outcome=_ENDED)
        )
        self.duration = declare.seconds(
            "retuned_run_duration_seconds",
            "Time from a run's start to its end, however it ended.",
            _UP_TO_HOURS,
        )
        self._progress: GaugeReadings[()] = declare.readings(
            "retuned_run_progress_ratio",
            "Share of the run's steps that are done; absent without a run.",
            unit="ratio",
        )
        self._loss: GaugeReadings[()] = declare.readings(
            "retuned_run_loss_nats_per_token",
            "Training loss, smoothed; absent without a run.",
            unit="nats_per_token",
        )
        self._tokens: GaugeReadings[()] = declare.readings(
            "retuned_run_tokens_per_second", "Training speed; absent without a run.", unit="tokens_per_second"
        )
        self._left: GaugeReadings[()] = declare.readings(
            "retuned_run_left_seconds",
            "Estimated time to the run's end; absent without a run.",
            unit="seconds",
        )

    def run_is_at(self, progress: Progress) -> None:
        """Show how far the run is; what it can't say yet is absent."""
        self._progress.replace({(): progress.step / progress.steps if progress.steps else 0.0})
        self._loss.replace({} if progress.loss is None else {(): progress.loss})
        self._tokens.replace({(): progress.tokens_per_s})
        self._left.replace({} if progress.seconds_left is None else {(): progress.seconds_left})

    def no_run(self) -> None:
        """Show no progress: none is made."""
        for readings in (self._progress, self._loss, self._tokens, self._left):
            readings.replace({})


class ReleaseMetrics:
    """What the gate says, and which version is live."""

    def __init__(self, declare: MetricFactory) -> None:
        self.versions = declare.gauge(
            "retuned_versions", "Versions in the registry, the bare base model included."
        )
        self._verdicts: LabelledMetric[Counter, GateVerdict] = LabelledMetric(
            declare.counter("retuned_gate_verdicts_total", "Answers of the gate.", verdict=GateVerdict)
        )
        self._difference: GaugeReadings[str] = declare.readings(
            "retuned_gate_loss_difference_nats_per_token",
            "Loss of the latest candidate minus the live version's, on the worst slice of a role; negative is better.",
            "role",
            unit="nats_per_token",
        )
        self._promotions: LabelledMetric[Counter, PromotionKind, ActorKind] = LabelledMetric(
            declare.counter(
                "retuned_promotions_total",
                "Times a version took over, by how and by whom.",
                kind=PromotionKind,
                actor=get_args(ActorKind),
            )
        )
        self._info: GaugeReadings[str, VersionName] = declare.readings(
            "retuned_live_version_info",
            "1 for the live version, absent for all others.",
            "model_line",
            "version",
        )
        self._number: GaugeReadings[str] = declare.readings(
            "retuned_live_version_number",
            "Number of the live version; 0 is the bare base model.",
            "model_line",
        )

    def judged(self, report: GateReport) -> None:
        """Count the gate's answer and show its numbers instead of the last candidate's."""
        self._verdicts(report.verdict).inc()
        worst: dict[tuple[str], float] = {}
        for found in report.slices:
            worst[found.role,] = max(found.difference, worst.get((found.role,), found.difference))
        self._difference.replace(worst)

    def promoted(self, promotion: Promotion) -> None:
        """Count a take-over, a rollback too, and show its version as live."""
        actor: ActorKind = "daemon" if promotion.by.kind == "daemon" else "operator"
        self._promotions(promotion.kind, actor).inc()
        self.live_is(promotion.version)

    def live_is(self, version: VersionName | None) -> None:
        """Show this version as live and no other; None: nothing is live."""
        self._info.replace({(version.line, version): 1.0} if version else {})
        self._number.replace({(version.line,): version.number} if version else {})


class ProcessMetrics:
    """The daemon itself, its children and what they use up."""

    def __init__(self, declare: MetricFactory) -> None:
        self.ledger_size = declare.gauge("retuned_ledger_size_bytes", "Size of the ledger.", unit="bytes")
        self.artifacts_size = declare.gauge(
            "retuned_artifact_store_size_bytes", "Size of all artifacts stored.", unit="bytes"
        )
        self.disk_free = declare.gauge(
            "retuned_disk_free_bytes", "Free space of the disk that holds the state.", unit="bytes"
        )
        self.child_memory: GaugeReadings[ChildName] = declare.readings(
            "retuned_child_resident_memory_bytes",
            "Memory of a child process; absent when not running.",
            "child",
            unit="bytes",
        )
        self.child_restarts: LabelledMetric[Counter, ChildName] = LabelledMetric(
            declare.counter(
                "retuned_child_restarts_total",
                "Times a child process died and was replaced.",
                child=get_args(ChildName),
            )
        )
        self.pruned: LabelledMetric[Counter, Pruned] = LabelledMetric(
            declare.counter(
                "retuned_pruned_rows_total",
                "Rows that the ledger let go of, by table.",
                table=get_args(Pruned),
            )
        )
        self.leader = declare.gauge(
            "retuned_leader", "1 while this replica decides, trains and promotes, else 0."
        )
        self.leader_fence = declare.gauge(
            "retuned_leader_fence", "Number under which this replica leads; 0 while another does."
        )
        self.iteration = declare.seconds(
            "retuned_loop_iteration_seconds", "Time of one turn of the main loop.", _UP_TO_SECONDS
        )
        build: GaugeReadings[str] = declare.readings(
            "retuned_build_info", "1, labelled with what is running.", "version"
        )
        build.replace({(installed_version("retuned"),): 1.0})


class Metrics:
    """All metrics of one daemon. Setting them is thread-safe; two of these know nothing of each other."""

    def __init__(self) -> None:
        declare = MetricFactory()
        self.intake = IntakeMetrics(declare)
        self.drift = DriftMetrics(declare)
        self.training = TrainingMetrics(declare)
        self.release = ReleaseMetrics(declare)
        self.process = ProcessMetrics(declare)
        self._declared = declare

    def catalogue(self) -> list[MetricEntry]:
        """Every ``retuned_*`` metric, in declared order."""
        return list(self._declared.entries)

    def exposition(self, accept_header: str) -> tuple[str, bytes]:
        """The content type and the text of all metrics, in the format that the scraper accepts."""
        return self._declared.exposition(accept_header)
