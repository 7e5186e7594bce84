"""Builds what runs in the leader alone."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from daemon.config.child_logs import child_log
from daemon.config.lesson_rules import lesson_rules
from daemon.config.live import LiveSettings
from daemon.config.settings import Settings
from daemon.domain.clock import utc_now
from daemon.domain.problems import ProblemKind
from daemon.domain.supervised_child import ServingChild
from daemon.drift.detect_stage import DetectStage
from daemon.drift.embeddings import Embeddings, embedder_launcher
from daemon.drift.judge_stage import JudgeStage
from daemon.drift.late_signals import LateSignalFeed
from daemon.drift.live_loss_stage import LiveLossStage
from daemon.drift.monitor_settings import aspects, late_aspects
from daemon.drift.triage_stage import TriageStage
from daemon.drift.widen_stage import WidenStage
from daemon.intake.dead_letter_stage import DeadLetterStage
from daemon.jobs.files import JobFiles
from daemon.jobs.leftovers import delete_ended
from daemon.kafka import KafkaSink
from daemon.ledger.line_facts import read_line_facts
from daemon.ledger.situation import read_situation
from daemon.ledger.stores import Stores
from daemon.release.register import register_base
from daemon.release.stage import ReleaseStage
from daemon.retention.conversations import ConversationRetention
from daemon.retention.history import HistoryRetention
from daemon.retention.stage import RetentionStage
from daemon.runtime.base_model import BaseModel
from daemon.runtime.build_teacher import build_judge, build_teacher
from daemon.runtime.build_traces import build_traces
from daemon.runtime.build_training import build_decide_stage, build_train_stage, job_files, runs_dir
from daemon.runtime.kafka_settings import load_kafka_settings
from daemon.runtime.leadership import LeaderRuntime
from daemon.runtime.line_facts_stage import LineFactsStage
from daemon.runtime.situation_stage import SituationStage
from daemon.scoring.version_scorer import ChildVersionScorer
from daemon.telemetry.log_context import inherit_identity
from daemon.telemetry.metrics import ChildName, Metrics
from daemon.training.from_settings import rendering
from daemon.training.train_stage import TrainStage
from learners.scoring.process import Scorer, scorer_process
from monitors.judge_process import JudgeProcess
from monitors.sequential.detector_state import DetectorState
from monitors.sequential.edetector import DetectorSettings, EDetector
from monitors.types import Sample
from registry.types import Version

#: Newest versions whose scores stay, besides the live one's: those that a gate may still compare.
_SCORED_VERSIONS = 5


def build_leader(
    live: LiveSettings,
    stores: Stores,
    metrics: Metrics,
    base: BaseModel,
    *,
    connected: Callable[[], bool],
) -> LeaderRuntime:
    """Build the leader's stages, in the order in which facts flow through them.

    ``stores`` write with the leader's fencing token; ``connected`` returns whether the broker answers.
    """
    settings = live.current  # for what only a restart changes
    traces = build_traces(settings, stores, metrics)
    training = build_train_stage(live, stores, metrics, base, traces)
    scorer = _scorer(settings, stores, metrics, base)
    teacher = build_teacher(settings, stores, metrics)
    judge = build_judge(settings, teacher)
    release = ReleaseStage(
        stores, live, traces.of_scorer(scorer), metrics=metrics, clock=utc_now, judge=judge
    )
    deciding = build_decide_stage(live, stores, metrics, training, release)
    dead_letters = _dead_letters(settings, stores, metrics, connected)
    embeddings = _embeddings(settings, metrics)
    judging = JudgeStage(stores, settings, partial(_launch_judge, settings), metrics=metrics, clock=utc_now)

    def start() -> None:
        _register_base(settings, stores, base)
        training.start()
        deciding.start()
        scorer.start()
        judging.start()
        if embeddings is not None:
            embeddings.start()

    def busy() -> bool:
        """Return whether a training or the gate needs the machine more than live loss and triage do."""
        return training.pending_work is not None or release.comparing

    return LeaderRuntime(
        stages=(
            dead_letters,
            build_detect_stage(settings, stores, metrics, embeddings),
            judging,
            WidenStage(stores, settings.windows, clock=utc_now),
            *_triaging(settings, stores, metrics, scorer, busy=busy),
            deciding,
            training,
            release,
            *((teacher,) if teacher else ()),
            _live_loss(settings, stores, scorer, busy=busy),
            _retention(live, stores, metrics),
            _telling(live, stores, metrics),
            _line_facts(live, stores, metrics, _alive(judging, scorer, embeddings)),
            *traces.stages,
        ),
        start=start,
        children=_pids(judging, training, scorer, embeddings),
        problems=_problems(scorer, dead_letters, release),
    )


def _pids(
    judging: JudgeStage, training: TrainStage, scorer: ChildVersionScorer, embeddings: Embeddings | None
) -> Mapping[ChildName, Callable[[], int | None]]:
    return {
        "judge": lambda: judging.pid,
        "trainer": lambda: training.pid,
        "scorer": lambda: scorer.pid,
        "embedder": lambda: embeddings.pid if embeddings else None,
    }


def _problems(
    scorer: ChildVersionScorer, dead_letters: DeadLetterStage, release: ReleaseStage
) -> Mapping[ProblemKind, Callable[[], str | None]]:
    return {
        ProblemKind.SCORER_DOWN: lambda: None if scorer.ready else "the scorer is not running",
        ProblemKind.DEAD_LETTERS: lambda: dead_letters.problem,
        ProblemKind.ARTIFACT_DAMAGED: lambda: release.artifact_problem,
        ProblemKind.TARGET_DIFFERS: lambda: release.target_problem,
    }


def _register_base(settings: Settings, stores: Stores, base: BaseModel) -> None:
    register_base(
        stores.versions,
        model_line=settings.model_line,
        base=settings.model.base,
        base_digest=base.digest,
        clock=utc_now,
    )


def _launch_judge(settings: Settings) -> JudgeProcess:
    judge = JudgeProcess(log=child_log(settings, "judge"))
    judge.start()
    return judge


def _scorer(settings: Settings, stores: Stores, metrics: Metrics, base: BaseModel) -> ChildVersionScorer:
    def launch() -> ServingChild[Scorer]:
        scorer = scorer_process(
            base.folder,
            device=settings.model.device,
            threads=settings.model.threads,
            dtype=settings.model.dtype,
            max_tokens=settings.learning.max_tokens,
            rendering=rendering(settings),
            log=child_log(settings, "scorer"),
        )
        scorer.start()
        return scorer

    return ChildVersionScorer(
        launch,
        stores.artifacts,
        histories=stores.conversations.with_histories,
        keep=settings.release.keep_loaded,
        metrics=metrics,
        clock=utc_now,
    )


def _retention(settings: LiveSettings, stores: Stores, metrics: Metrics) -> RetentionStage:
    return RetentionStage(
        ConversationRetention(stores.engine, lambda: settings.current.retention),
        HistoryRetention(stores.engine, lambda: settings.current.retention),
        scored=lambda: _scored_versions(settings.current, stores),
        runs_dir=runs_dir(settings.current),
        delete_jobs=partial(_delete_jobs, job_files(settings.current), settings.current.model_line, stores),
        metrics=metrics,
        clock=utc_now,
    )


def _delete_jobs(jobs: JobFiles, model_line: str, stores: Stores) -> None:
    running = stores.runs.running()
    delete_ended(jobs, model_line, running=[running.id] if running else [])


def _telling(settings: LiveSettings, stores: Stores, metrics: Metrics) -> SituationStage:
    return SituationStage(lambda: read_situation(stores, settings.current), metrics=metrics, clock=utc_now)


def _alive(
    judging: JudgeStage, scorer: ChildVersionScorer, embeddings: Embeddings | None
) -> Mapping[ChildName, Callable[[], bool]]:
    """Return of each child that the leader always needs whether it runs."""
    alive: dict[ChildName, Callable[[], bool]] = {
        "judge": lambda: judging.alive,
        "scorer": lambda: scorer.ready,
    }
    if embeddings is not None:
        alive["embedder"] = lambda: embeddings.alive
    return alive


def _line_facts(
    settings: LiveSettings, stores: Stores, metrics: Metrics, alive: Mapping[ChildName, Callable[[], bool]]
) -> LineFactsStage:
    return LineFactsStage(
        lambda: read_line_facts(stores, settings.current), alive=alive, metrics=metrics, clock=utc_now
    )


def _scored_versions(settings: Settings, stores: Stores) -> set[str]:
    """Return the versions that a gate may still compare: the newest, and the live one."""
    entry = stores.versions.newest_promotion(settings.model_line)
    newest = stores.versions.versions(settings.model_line, newest=_SCORED_VERSIONS)
    return {str(version.name) for version in newest} | ({str(entry.version)} if entry else set())


def _dead_letters(
    settings: Settings, stores: Stores, metrics: Metrics, connected: Callable[[], bool]
) -> DeadLetterStage:
    return DeadLetterStage(
        stores.dead_letters,
        KafkaSink(load_kafka_settings(settings)),
        topic=settings.kafka.dead_letter_topic,
        connected=connected,
        metrics=metrics,
        clock=utc_now,
    )


def _embeddings(settings: Settings, metrics: Metrics) -> Embeddings | None:
    launch = embedder_launcher(settings)
    return None if launch is None else Embeddings(launch, metrics=metrics, clock=utc_now)


def build_detect_stage(
    settings: Settings, stores: Stores, metrics: Metrics, embeddings: Embeddings | None = None
) -> DetectStage:
    """Build the stage that watches the stream; without ``embeddings`` it compares no meanings."""
    detector_settings = DetectorSettings(
        aspects=aspects(settings),
        late_aspects=late_aspects(settings),
        conversations_between_false_alarms=settings.monitors.conversations_between_false_alarms,
        seed=settings.monitors.seed,
        cycle_days=settings.windows.reference_days,
    )

    metrics.drift.evidence_threshold.set(detector_settings.conversations_between_false_alarms)

    def new_detector(
        reference: tuple[Sample, ...], block: int, state: DetectorState, recent: dict[int, Sample]
    ) -> EDetector:
        return EDetector(reference, detector_settings, block=block, state=state, recent=recent)

    return DetectStage(
        stores,
        LateSignalFeed(stores, settings.monitors, clock=utc_now),
        new_detector=new_detector,
        metrics=metrics,
        clock=utc_now,
        vectors=embeddings,
    )


def _live(settings: Settings, stores: Stores) -> Version | None:
    entry = stores.versions.newest_promotion(settings.model_line)
    return None if entry is None else stores.versions.version(entry.version)


def _live_loss(
    settings: Settings, stores: Stores, scorer: ChildVersionScorer, *, busy: Callable[[], bool]
) -> LiveLossStage:
    return LiveLossStage(
        stores,
        settings.monitors,
        scorer,
        rules=lesson_rules(settings),
        live=lambda: _live(settings, stores),
        busy=busy,
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
        stores,
        loaded,
        live=lambda: _live(settings, stores),
        busy=busy,
        settings=settings,
        executor=ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="retuned-triage", initializer=inherit_identity()
        ),
        metrics=metrics,
        clock=utc_now,
    )
    return (stage,)
