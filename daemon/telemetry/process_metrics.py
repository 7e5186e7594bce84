"""Metrics of the daemon's process."""

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version as installed_version
from typing import Literal, TypeAlias, get_args

from daemon.domain.problems import ProblemKind
from daemon.telemetry.buckets import UP_TO_SECONDS
from daemon.telemetry.instruments import Counter, Gauge, GaugeReadings, LabelledMetric, MetricFactory

ChildName: TypeAlias = Literal["scorer", "trainer", "judge", "embedder"]
TraceOutcome: TypeAlias = Literal["sent", "dropped"]
Pruned: TypeAlias = Literal[
    "conversations", "feedback", "scores", "lesson_scores", "gate_answers", "losses", "dead_letters", "halts",
    "offset_changes", "train_requests", "training_records", "runs", "triages", "decisions", "windows", "reports", "alarms", "detectors",
    "reference_sets", "reference_freezes", "teacher_answers",
]  # fmt: skip


class ProcessMetrics:
    """Metrics of the daemon's process, its children and their resources."""

    def __init__(self, factory: MetricFactory) -> None:
        self.ledger_size = factory.gauge("retuned_ledger_size_bytes", "Size of the ledger.", unit="bytes")
        self.artifacts_size = factory.gauge(
            "retuned_artifact_store_size_bytes", "Size of all stored artifacts.", unit="bytes"
        )
        self.disk_free = factory.gauge(
            "retuned_disk_free_bytes", "Free space on the disk that holds state_dir.", unit="bytes"
        )
        self.disk_size = factory.gauge(
            "retuned_disk_size_bytes", "Size of the disk that holds state_dir.", unit="bytes"
        )
        self.ledger_disk_free: GaugeReadings[()] = factory.readings(
            "retuned_ledger_disk_free_bytes",
            "Free space on the disk that holds the ledger's file. Absent with PostgreSQL.",
            unit="bytes",
        )
        self._add_line(factory)
        self._add_credentials(factory)
        self._add_children(factory)
        self.pruned: LabelledMetric[Counter, Pruned] = LabelledMetric(
            factory.counter(
                "retuned_pruned_rows_total",
                "Rows deleted from the ledger by retention, by table.",
                table=get_args(Pruned),
            )
        )
        self.leader = factory.gauge("retuned_leader", "1 while this replica is the leader, else 0.")
        self.leader_fence = factory.gauge(
            "retuned_leader_fence", "Fencing token of this replica while it is the leader, else 0."
        )
        self.problem: LabelledMetric[Gauge, ProblemKind] = LabelledMetric(
            factory.labelled_gauge(
                "retuned_problem",
                "1 while there is a problem of this kind, else 0. The runbook says what to do about each.",
                kind=ProblemKind,
            )
        )
        self.iteration = factory.seconds(
            "retuned_loop_iteration_seconds", "Duration of one turn of the main loop.", UP_TO_SECONDS
        )
        self._add_reload(factory)
        self._spans: LabelledMetric[Counter, TraceOutcome] = LabelledMetric(
            factory.counter(
                "retuned_trace_spans_total",
                "Spans of traces, by whether the collector took them.",
                outcome=get_args(TraceOutcome),
            )
        )
        build: GaugeReadings[str] = factory.readings(
            "retuned_build_info", "1, labelled with the installed version.", "version"
        )
        build.replace({(installed_version("retuned"),): 1.0})

    def _add_reload(self, factory: MetricFactory) -> None:
        self._reload_success = factory.gauge(
            "retuned_config_reload_success",
            "1 if the latest reading of the settings had no mistakes, else 0.",
        )
        self._reload_success_at = factory.gauge(
            "retuned_config_reload_success_timestamp_seconds",
            "Unix time of the latest reading of the settings without mistakes: at the start, or after SIGHUP.",
            unit="seconds",
        )
        self._awaiting_restart = factory.gauge(
            "retuned_config_awaiting_restart",
            "Settings that differ from those in effect and need a restart, as of the latest reading.",
        )

    def _add_line(self, factory: MetricFactory) -> None:
        self.line_up = factory.gauge(
            "retuned_line_up",
            "1 while the model line runs, else 0: it is being started, or waits after a failure.",
        )
        self.line_restarts = factory.counter(
            "retuned_line_restarts_total",
            "Failures of the model line after which the daemon starts it again. Only where it has several lines.",
        )

    def _add_credentials(self, factory: MetricFactory) -> None:
        self._certificates: GaugeReadings[str] = factory.readings(
            "retuned_certificate_expiry_timestamp_seconds",
            "Unix time at which a certificate expires, by the setting that names its file; of several, the next to expire.",
            "setting",
            unit="seconds",
        )
        self._token_ends: GaugeReadings[()] = factory.readings(
            "retuned_token_expiry_timestamp_seconds",
            "Unix time at which the access token for Kafka expires. Absent without one.",
            unit="seconds",
        )
        self._token_failing: GaugeReadings[()] = factory.readings(
            "retuned_token_failing_since_timestamp_seconds",
            "Unix time since which the access token for Kafka can't be fetched or renewed. Absent while it can.",
            unit="seconds",
        )

    def _add_children(self, factory: MetricFactory) -> None:
        self.child_up: GaugeReadings[ChildName] = factory.readings(
            "retuned_child_up",
            "1 while a child process that the leader always needs runs, else 0. The leader alone has it.",
            "child",
        )
        self.child_memory: GaugeReadings[ChildName] = factory.readings(
            "retuned_child_resident_memory_bytes",
            "Resident memory by child process. Absent while the child does not run.",
            "child",
            unit="bytes",
        )
        self.child_restarts: LabelledMetric[Counter, ChildName] = LabelledMetric(
            factory.counter(
                "retuned_child_restarts_total",
                "Restarts of child processes that died, by child.",
                child=get_args(ChildName),
            )
        )

    def certificates_expire(self, expiries: Mapping[str, float]) -> None:
        """Show when certificates expire, by setting."""
        self._certificates.replace({(setting,): expires for setting, expires in expiries.items()})

    def token_is(self, *, expires_at: float | None, failing_since: float | None) -> None:
        """Show the state of the access token; None: there is no token, and fetching it does not fail."""
        self._token_ends.replace({} if expires_at is None else {(): expires_at})
        self._token_failing.replace({} if failing_since is None else {(): failing_since})

    def reload_succeeded(self, at: datetime, *, waiting: int) -> None:
        """Note settings that were read without mistakes, of which ``waiting`` need a restart."""
        self._reload_success.set(1)
        self._reload_success_at.set(at.timestamp())
        self._awaiting_restart.set(waiting)

    def reload_failed(self) -> None:
        """Note settings with mistakes, which were not taken."""
        self._reload_success.set(0)

    def traced(self, spans: int, sent: bool) -> None:
        """Count spans that the collector took, or did not take."""
        self._spans("sent" if sent else "dropped").inc(spans)
