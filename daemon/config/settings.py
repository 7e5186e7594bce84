"""All settings of ``retuned.yaml``."""

from pathlib import Path

from pydantic import Field, field_validator, model_validator

from daemon.config.mistakes import Disagreement, Problem
from daemon.config.openable import check_artifacts_url, check_ledger_url, check_library, is_local
from daemon.config.sections.base import Section
from daemon.config.sections.curation import CurationSection
from daemon.config.sections.dead_letters import DeadLettersSection
from daemon.config.sections.feedback import FeedbackFieldsSection, FeedbackSection
from daemon.config.sections.gate import GateSection
from daemon.config.sections.holdout import HoldoutSection
from daemon.config.sections.http import HttpSection
from daemon.config.sections.hygiene import HygieneSection, KeepSection
from daemon.config.sections.intake import FieldsSection, IntakeSection
from daemon.config.sections.kafka import KafkaSection
from daemon.config.sections.kubernetes import KubernetesSection
from daemon.config.sections.leader import LeaderSection
from daemon.config.sections.learning import LearningSection
from daemon.config.sections.lessons import LessonsSection
from daemon.config.sections.limits import LimitsSection
from daemon.config.sections.logging import LoggingSection
from daemon.config.sections.model import ModelSection
from daemon.config.sections.monitors import EmbeddingSection, MonitorsSection
from daemon.config.sections.policy import PolicySection
from daemon.config.sections.release import ReleaseSection
from daemon.config.sections.retention import RetentionSection
from daemon.config.sections.schema_registry import SchemaRegistrySection
from daemon.config.sections.teacher import TeacherSection
from daemon.config.sections.tracing import TracingSection
from daemon.config.sections.windows import WindowsSection

__all__ = [
    "CurationSection",
    "DeadLettersSection",
    "EmbeddingSection",
    "FeedbackFieldsSection",
    "FeedbackSection",
    "FieldsSection",
    "GateSection",
    "HoldoutSection",
    "HttpSection",
    "HygieneSection",
    "IntakeSection",
    "KafkaSection",
    "KeepSection",
    "KubernetesSection",
    "LeaderSection",
    "LearningSection",
    "LessonsSection",
    "LimitsSection",
    "LoggingSection",
    "ModelSection",
    "MonitorsSection",
    "PolicySection",
    "ReleaseSection",
    "RetentionSection",
    "SchemaRegistrySection",
    "Settings",
    "TeacherSection",
    "TracingSection",
    "WindowsSection",
]


class Settings(Section):
    """The settings of one model line's daemon."""

    model_line: str = Field("chat", pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")
    """Name of the model line: lowercase letters, digits and dashes."""
    state_dir: Path = Path(".state")
    """Folder for the ledger, artifacts, keys and work files, unless other settings move them. It is made for its owner
    alone; a model server of another user needs target_dir and artifacts_url outside of it."""
    ledger_url: str | None = None
    """SQLAlchemy URL of the ledger; write ? as %3F in it, and @, :, / and # as %40, %3A, %2F and %23 in a password.
    Unset: SQLite in state_dir."""
    artifacts_url: str | None = None
    """fsspec URL of the artifact store (file://, s3://, ...). The path of a file URL is taken as it stands. Unset: a folder
    in state_dir."""
    target_dir: Path | None = None
    """Folder for live.json, which tells the model server the live version. Unset: state_dir/target."""
    model: ModelSection
    """The base model that the daemon keeps tuned."""
    kafka: KafkaSection = KafkaSection()
    """The stream of conversations."""
    feedback: FeedbackSection = FeedbackSection()
    """How users' opinions are read."""
    intake: IntakeSection = IntakeSection()
    """How records are read."""
    limits: LimitsSection = LimitsSection()
    """The largest records that intake accepts."""
    dead_letters: DeadLettersSection = DeadLettersSection()
    """Records that intake can't use."""
    hygiene: HygieneSection = HygieneSection()
    """Personal data to redact, and records to drop, before anything is stored."""
    holdout: HoldoutSection = HoldoutSection()
    """Conversations that are never trained on."""
    windows: WindowsSection = WindowsSection()
    """Windows of conversations that the monitors judge."""
    monitors: MonitorsSection = MonitorsSection()
    """Drift detection."""
    policy: PolicySection = PolicySection()
    """When to train."""
    curation: CurationSection = CurationSection()
    """Which of the eligible conversations enter a training set."""
    lessons: LessonsSection = LessonsSection()
    """What an answer teaches: whether it is imitated, preferred over another, or never imitated."""
    teacher: TeacherSection = TeacherSection()
    """Another model that answers what has no good answer yet."""
    learning: LearningSection = LearningSection()
    """How to train an update."""
    kubernetes: KubernetesSection = KubernetesSection()
    """Trainings as Jobs of a Kubernetes cluster."""
    gate: GateSection = GateSection()
    """What a candidate must achieve on held-out conversations."""
    release: ReleaseSection = ReleaseSection()
    """What happens to a candidate that passed the gate."""
    retention: RetentionSection = RetentionSection()
    """How much the ledger keeps."""
    leader: LeaderSection = LeaderSection()
    """Leader election."""
    http: HttpSection = HttpSection()
    """Metrics, probes and reports over HTTP."""
    logging: LoggingSection = LoggingSection()
    """Logging."""
    tracing: TracingSection = TracingSection()
    """Traces for OpenTelemetry: one from each alarm to what became of it. They hold counts and names, never text."""

    @field_validator("ledger_url")
    @classmethod
    def _ledger_can_be_opened(cls, value: str | None) -> str | None:
        return None if value is None else check_ledger_url(value)

    @field_validator("artifacts_url")
    @classmethod
    def _artifacts_can_be_stored(cls, value: str | None) -> str | None:
        return None if value is None else check_artifacts_url(value)

    @model_validator(mode="after")
    def _named_fields_are_named(self) -> "Settings":
        if self.kafka.format == "fields" and not self.intake.fields.are_named:
            raise Disagreement(
                [Problem("kafka.format is fields, so intake.fields must name them", ("intake.fields",))]
            )
        return self

    @model_validator(mode="after")
    def _retention_covers_other_settings(self) -> "Settings":
        needed = {
            "policy.max_new_conversations": self.policy.max_new_conversations,
            "windows.reference_size": self.windows.reference_size,
            "windows.size": self.windows.size,
            "gate.max_conversations": self.gate.max_conversations,
        }
        more = [f"{name} ({count})" for name, count in needed.items() if count > self.retention.conversations]
        found = []
        if more:
            kept = self.retention.conversations
            found.append(f"retention.conversations ({kept}) must be at least {', '.join(more)}")
        if self.dead_letters.among > self.retention.dead_letters:
            among, kept = self.dead_letters.among, self.retention.dead_letters
            found.append(f"retention.dead_letters ({kept}) must be at least dead_letters.among ({among})")
        if found:
            raise Disagreement(map(Problem, found))
        return self

    @model_validator(mode="after")
    def _replicas_share_key_and_artifacts(self) -> "Settings":
        if self.ledger_url is None or self.ledger_url.startswith("sqlite"):
            return self
        shared = {"holdout.key_file": self.holdout.key_file, "artifacts_url": self.artifacts_url}
        unset = [name for name, value in shared.items() if value is None]
        if unset:
            text = (
                f"replicas share a ledger on a server, so {' and '.join(unset)} must name what they share too"
            )
            raise Disagreement([Problem(text, ("ledger_url",))])
        return self

    @model_validator(mode="after")
    def _pods_can_train(self) -> "Settings":
        if self.learning.where != "kubernetes":
            return self
        section, problems = self.kubernetes, []
        if (problem := check_library("lightkube")) is not None:
            problems.append(Problem(f"learning.where is kubernetes, which {problem}", ("learning.where",)))
        if section.job_template is None:
            text = "learning.where is kubernetes, so kubernetes.job_template must name the template of a Job"
            problems.append(Problem(text, ("learning.where",)))
        store = section.artifacts_url or self.artifacts_url
        if store is None or (is_local(store) and not section.shared_artifacts):
            text = (
                "pods train, so artifacts_url must name a store that they reach, such as s3://BUCKET/FOLDER; "
                "or mount one folder into daemon and pods and set kubernetes.shared_artifacts"
            )
            problems.append(Problem(text, ("kubernetes.artifacts_url", "artifacts_url", "learning.where")))
        if problems:
            raise Disagreement(problems)
        return self
