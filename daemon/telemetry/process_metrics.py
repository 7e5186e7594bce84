"""Metrics of the daemon's process."""

from importlib.metadata import version as installed_version
from typing import Literal, TypeAlias, get_args

from daemon.domain.problems import ProblemKind
from daemon.telemetry.buckets import UP_TO_SECONDS
from daemon.telemetry.instruments import Counter, Gauge, GaugeReadings, LabelledMetric, MetricFactory

ChildName: TypeAlias = Literal["scorer", "trainer", "judge", "embedder"]
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
        build: GaugeReadings[str] = factory.readings(
            "retuned_build_info", "1, labelled with the installed version.", "version"
        )
        build.replace({(installed_version("retuned"),): 1.0})
