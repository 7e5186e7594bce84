"""Builds what runs in the leader alone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from daemon.config.cron import Schedule
from daemon.config.settings import Settings
from daemon.domain.clock import utc_now
from daemon.drift.detect_stage import DetectStage
from daemon.drift.embeddings import Embeddings, embedder_maker
from daemon.drift.from_settings import aspects, late_aspects, monitor_settings
from daemon.drift.judge_stage import JudgeStage
from daemon.drift.late_signals import LateSignalFeed
from daemon.drift.live_loss_stage import LiveLossStage
from daemon.drift.triage_stage import TriageStage
from daemon.drift.widen_stage import WidenStage
from daemon.intake.dead_letter_stage import DeadLetterStage
from daemon.kafka import KafkaSink
from daemon.ledger.stores import Stores
from daemon.release.from_settings import gate_settings
from daemon.release.gate_comparison import HeldOut
from daemon.release.promotion import put_live
from daemon.release.register import register_base, register_run
from daemon.release.stage import ReleaseStage
from daemon.retention.conversations import ConversationRetention
from daemon.retention.from_settings import history_limits, retention_limits
from daemon.retention.history import HistoryRetention
from daemon.retention.stage import RetentionStage
from daemon.runtime.kafka_settings import kafka_settings
from daemon.runtime.leadership import LeaderRuntime
from daemon.scoring.version_scorer import ChildVersionScorer
from daemon.telemetry.metrics import Metrics
from daemon.training.decide_stage import DecideStage
from daemon.training.from_settings import dataset_settings, lora_settings, policy_settings
from daemon.training.plan import RunPlanner
from daemon.training.planned_run import PlannedRun
from daemon.training.train_stage import TrainStage
from learners.scoring.process import ScorerProcess
from learners.training.process import TrainingProcess
from learners.types import RunResult, TrainRequest
from monitors.judge_process import JudgeProcess
from monitors.sequential.edetector import DetectorState, EDetector
from monitors.types import Sample
from registry.types import Version

_SCORED = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """The base model on this machine."""

    folder: Path
    digest: str


def build_leader(
    settings: Settings,
    stores: Stores,
    metrics: Metrics,
    base: Base,
    *,
    connected: Callable[[], bool],
) -> LeaderRuntime:
    """Build the leader's stages, in the order in which facts flow through them, and start their children.

    ``stores`` write under the leader's number; ``connected`` says whether the broker answers. Raises StaleLeader.
    """
    register_base(
        stores.versions,
        model_line=settings.model_line,
        base=settings.model.base,
        base_digest=base.digest,
        clock=utc_now,
    )
    training = _training(settings, stores, metrics, base.folder, base.digest)
    releasing, loaded = _releasing(settings, stores, metrics, base.folder)
    judge, embeddings = JudgeProcess(), _embeddings(settings, metrics)

    def busy() -> bool:
        """Whether a training or the gate needs the machine more than what is scored beside them."""
        return training.busy is not None or releasing.comparing

    return LeaderRuntime(
        stages=(
            _dead_letters(settings, stores, metrics, connected),
            _watching(settings, stores, metrics, embeddings),
            _judging(settings, stores, metrics, judge),
            WidenStage(
                stores.references, stores.windows, days=settings.windows.reference_days, clock=utc_now
            ),
            *_triaging(settings, stores, metrics, loaded, busy=busy),
            _deciding(settings, stores, metrics, training, releasing),
            training,
            releasing,
            _live_loss(settings, stores, loaded, busy=busy),
            _retention(settings, stores, metrics),
        ),
        children={
            "judge": lambda: judge.pid,
            "trainer": lambda: training.pid,
            "scorer": lambda: loaded.pid,
            "embedder": lambda: embeddings.pid if embeddings else None,
        },
        problem=lambda: None if loaded.ready else "the scorer is not running",
    )


def _retention(settings: Settings, stores: Stores, metrics: Metrics) -> RetentionStage:
    def scored() -> set[str]:
        """The versions that a gate may still compare: the latest, and what is live."""
        live = stores.versions.history(settings.model_line).live
        latest = stores.versions.versions(settings.model_line)[-_SCORED:]
        return {str(version.name) for version in latest} | ({str(live)} if live else set())

    return RetentionStage(
        ConversationRetention(stores.engine, retention_limits(settings)),
        HistoryRetention(stores.engine, history_limits(settings)),
        scored=scored,
        runs_dir=_runs_dir(settings),
        metrics=metrics,
        clock=utc_now,
    )


def _runs_dir(settings: Settings) -> Path:
    return settings.state_dir.absolute() / "runs"


def _dead_letters(
    settings: Settings, stores: Stores, metrics: Metrics, connected: Callable[[], bool]
) -> DeadLetterStage:
    return DeadLetterStage(
        stores.dead_letters,
        KafkaSink(kafka_settings(settings)),
        topic=settings.kafka.dead_letter_topic,
        connected=connected,
        metrics=metrics,
        clock=utc_now,
    )


def _embeddings(settings: Settings, metrics: Metrics) -> Embeddings | None:
    start = embedder_maker(settings)
    return None if start is None else Embeddings(start, metrics=metrics, clock=utc_now)


def _watching(
    settings: Settings, stores: Stores, metrics: Metrics, embeddings: Embeddings | None
) -> DetectStage:
    def new_detector(
        reference: tuple[Sample, ...], block: int, state: DetectorState, recent: dict[int, Sample]
    ) -> EDetector:
        return EDetector(
            reference,
            aspects=aspects(settings),
            conversations_between_false_alarms=settings.monitors.conversations_between_false_alarms,
            seed=settings.monitors.seed,
            listens=late_aspects(settings),
            cycle_days=settings.windows.reference_days,
            state=state,
            recent=recent,
            block=block,
        )

    return DetectStage(
        stores.windows,
        stores.conversations,
        stores.detectors,
        LateSignalFeed(
            stores.signals,
            stores.conversations,
            wait=timedelta(hours=settings.monitors.feedback_wait_h),
            clock=utc_now,
        ),
        new_detector=new_detector,
        metrics=metrics,
        clock=utc_now,
        vectors=embeddings,
    )


def _live(settings: Settings, stores: Stores) -> Version | None:
    name = stores.versions.history(settings.model_line).live
    return None if name is None else stores.versions.version(name)


def _live_loss(
    settings: Settings, stores: Stores, loaded: ChildVersionScorer, *, busy: Callable[[], bool]
) -> LiveLossStage:
    return LiveLossStage(
        stores.windows,
        stores.conversations,
        stores.detectors,
        stores.signals,
        loaded,
        live=lambda: _live(settings, stores),
        busy=busy,
        share=settings.monitors.loss_share,
        clock=utc_now,
    )


def _judging(settings: Settings, stores: Stores, metrics: Metrics, judge: JudgeProcess) -> JudgeStage:
    return JudgeStage(
        stores.windows,
        stores.conversations,
        stores.detectors,
        stores.references,
        judge,
        learned_until=stores.trainings.learned_until,
        model_line=settings.model_line,
        settings=monitor_settings(settings),
        max_age_s=settings.windows.max_age_s,
        min_size=settings.windows.min_size,
        metrics=metrics,
        clock=utc_now,
    )


def _triaging(
    settings: Settings,
    stores: Stores,
    metrics: Metrics,
    loaded: ChildVersionScorer,
    *,
    busy: Callable[[], bool],
) -> tuple[TriageStage, ...]:
    """Return the stage; none where nothing waits for it."""
    if not (settings.policy.on_drift and settings.policy.triage):
        return ()

    stage = TriageStage(
        stores.windows,
        stores.conversations,
        stores.signals,
        stores.references,
        stores.triages,
        loaded,
        live=lambda: _live(settings, stores),
        learned_until=stores.trainings.learned_until,
        busy=busy,
        reference_days=settings.windows.reference_days,
        metrics=metrics,
        clock=utc_now,
    )
    return (stage,)


def _deciding(
    settings: Settings, stores: Stores, metrics: Metrics, training: TrainStage, releasing: ReleaseStage
) -> DecideStage:
    return DecideStage(
        stores.windows,
        stores.conversations,
        stores.trainings,
        stores.triages,
        training.offer,
        busy=lambda: training.busy or releasing.busy,
        settings=policy_settings(settings),
        schedule=Schedule(settings.policy.schedule) if settings.policy.schedule else None,
        metrics=metrics,
        clock=utc_now,
    )


def _training(settings: Settings, stores: Stores, metrics: Metrics, base: Path, digest: str) -> TrainStage:
    plan = RunPlanner(
        model_line=settings.model_line,
        base=base,
        base_digest=digest,
        conversations=stores.conversations,
        erased_runs=stores.erasures.runs_with_erased_records,
        versions=stores.versions,
        artifacts=stores.artifacts,
        data=dataset_settings(settings),
        method=settings.learning.method,
        settings=lora_settings(settings),
        seed=settings.learning.seed,
        device=settings.model.device,
        threads=settings.model.threads,
    )

    def start(request: TrainRequest, folder: Path) -> TrainingProcess:
        child = TrainingProcess(request, folder)
        child.start()
        return child

    def register(planned: PlannedRun, result: RunResult) -> Version:
        return register_run(
            stores.versions,
            stores.artifacts,
            planned,
            result,
            model_line=settings.model_line,
            base=settings.model.base,
            clock=utc_now,
        )

    return TrainStage(
        stores.trainings,
        plan=plan,
        start=start,
        register=register,
        runs_dir=_runs_dir(settings),
        timeout=timedelta(seconds=settings.learning.timeout_s),
        metrics=metrics,
        clock=utc_now,
    )


def _releasing(
    settings: Settings, stores: Stores, metrics: Metrics, base: Path
) -> tuple[ReleaseStage, ChildVersionScorer]:
    def start() -> ScorerProcess:
        scorer = ScorerProcess(
            base,
            device=settings.model.device,
            threads=settings.model.threads,
            dtype=settings.model.dtype,
            max_tokens=settings.learning.max_tokens,
        )
        scorer.start()
        return scorer

    loaded = ChildVersionScorer(
        start, stores.artifacts, keep=settings.release.keep_loaded, metrics=metrics, clock=utc_now
    )
    stage = ReleaseStage(
        stores.versions,
        stores.references,
        stores.trainings,
        loaded,
        HeldOut(
            ledger=stores.conversations, limit=settings.gate.max_conversations, seed=settings.learning.seed
        ),
        model_line=settings.model_line,
        put_live=lambda: put_live(stores, model_line=settings.model_line, clock=utc_now),
        erased_runs=stores.erasures.runs_with_erased_records,
        gate=gate_settings(settings),
        automatic=settings.release.automatic,
        reference_size=settings.windows.reference_size,
        reference_days=settings.windows.reference_days,
        metrics=metrics,
        clock=utc_now,
    )
    return stage, loaded
