"""Builds the daemon out of its parts. The only place that knows the concrete ones."""

import logging
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from types import FrameType

from daemon.clock import utc_now
from daemon.gatekeeping import HeldOut
from daemon.health import Component, Health
from daemon.http_server import HttpServer
from daemon.judge_process import JudgeProcess
from daemon.kafka import KafkaSink, KafkaSource
from daemon.ledger.database import size_bytes
from daemon.ledger.intake import IntakeLedger
from daemon.loaded import LoadedVersions
from daemon.logs import configure_logging
from daemon.loop import Loop
from daemon.metrics import Child, Metrics
from daemon.planning import Plan
from daemon.registering import register_base, register_run
from daemon.release import put_live
from daemon.requests import PlannedRun
from daemon.schedule import Schedule
from daemon.settings import Settings
from daemon.stages.dead_letters import DeadLetterStage
from daemon.stages.deciding import DecidingStage
from daemon.stages.housekeeping import HousekeepingStage
from daemon.stages.intake import IntakeStage
from daemon.stages.judging import JudgingStage
from daemon.stages.releasing import ReleasingStage
from daemon.stages.reporting import ReportingStage
from daemon.stages.stage import Stage
from daemon.stages.training import TrainingStage
from daemon.stores import Stores, ledger_url, open_stores
from daemon.streams import Start, StartOffsets, TopicPartition
from daemon.translate import (
    admission,
    dataset_settings,
    gate_settings,
    kafka_settings,
    limits,
    lora_settings,
    monitor_settings,
    policy_settings,
    redactor,
)
from learners.base import base_digest, resolve_base
from learners.scorer_process import ScorerProcess
from learners.training_process import TrainingProcess
from learners.types import RunResult, TrainRequest
from registry.types import Version

_log = logging.getLogger(__name__)
_POLL_S = 0.2
_CLOSE_WITHIN_S = 15.0


def run_daemon(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; return the exit status.

    Raises DaemonError, LearnerError or RegistryError where it can't start.
    """
    configure_logging(settings.logging.level, settings.logging.format)
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    stores, metrics = open_stores(settings), Metrics()
    base = resolve_base(settings.model.base)
    digest = base_digest(base)
    register_base(
        stores.versions,
        model_line=settings.model_line,
        base=settings.model.base,
        base_digest=digest,
        clock=utc_now,
    )
    health = Health(clock=time.monotonic, components=(Component.BROKER, Component.INTAKE, Component.SCORER))
    with _stopped_by_signals() as stop, HttpServer(settings.http.host, settings.http.port, metrics, health):
        stages = _stages(settings, stores, metrics, health, base, digest, wait=stop.wait)
        _log.info(
            "%s is running", settings.model_line, extra={"action": "start", "model_line": settings.model_line}
        )
        Loop(stages, stop=stop, beat=health.beat, metrics=metrics, close_within_s=_CLOSE_WITHIN_S).run()
    _log.info("stopped", extra={"action": "stop", "model_line": settings.model_line})
    return 0


@contextmanager
def _stopped_by_signals() -> Iterator[Event]:
    stop = Event()

    def note(number: int, _frame: FrameType | None) -> None:
        _log.info("%s: stopping", signal.Signals(number).name, extra={"action": "stop"})
        stop.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stages(
    settings: Settings,
    stores: Stores,
    metrics: Metrics,
    health: Health,
    base: Path,
    digest: str,
    *,
    wait: Callable[[float], object],
) -> list[Stage]:
    """Build the stages, in the order in which facts flow through them. ``wait`` ends early when told to stop."""
    intake, judge = _intake(settings, stores, metrics, wait), JudgeProcess()
    releasing, loaded = _releasing(settings, stores, metrics, base)
    training = _training(settings, stores, metrics, base, digest)
    children: dict[Child, Callable[[], int | None]] = {
        "judge": lambda: judge.pid,
        "trainer": lambda: training.pid,
        "scorer": lambda: loaded.pid,
    }
    probes: dict[Component, Callable[[], str | None]] = {
        Component.BROKER: lambda: None if intake.connected or intake.halted else "no broker answers",
        Component.INTAKE: lambda: intake.halted,
        Component.SCORER: lambda: None if loaded.ready else "the scorer is not running",
    }
    return [
        intake,
        _dead_letters(settings, stores, metrics, intake),
        _judging(settings, stores, metrics, judge),
        _deciding(settings, stores, metrics, training, releasing),
        training,
        releasing,
        HousekeepingStage(
            state_dir=settings.state_dir,
            ledger_size=lambda: size_bytes(ledger_url(settings)),
            artifacts_size=stores.artifacts.size_bytes,
            children=children,
            metrics=metrics,
            clock=utc_now,
        ),
        ReportingStage(health, probes),
    ]


def _dead_letters(
    settings: Settings, stores: Stores, metrics: Metrics, intake: IntakeStage
) -> DeadLetterStage:
    return DeadLetterStage(
        stores.dead_letters,
        KafkaSink(kafka_settings(settings)),
        topic=settings.kafka.dead_letter_topic,
        connected=lambda: intake.connected or intake.halted is not None,
        metrics=metrics,
        clock=utc_now,
    )


def _judging(settings: Settings, stores: Stores, metrics: Metrics, judge: JudgeProcess) -> JudgingStage:
    return JudgingStage(
        stores.windows,
        stores.conversations,
        judge,
        model_line=settings.model_line,
        settings=monitor_settings(settings),
        max_age_s=settings.windows.max_age_s,
        min_size=settings.windows.min_size,
        metrics=metrics,
        clock=utc_now,
    )


def _deciding(
    settings: Settings, stores: Stores, metrics: Metrics, training: TrainingStage, releasing: ReleasingStage
) -> DecidingStage:
    return DecidingStage(
        stores.windows,
        stores.conversations,
        stores.trainings,
        training.offer,
        busy=lambda: training.busy or releasing.busy,
        settings=policy_settings(settings),
        schedule=Schedule(settings.policy.schedule) if settings.policy.schedule else None,
        metrics=metrics,
        clock=utc_now,
    )


def _intake(
    settings: Settings, stores: Stores, metrics: Metrics, wait: Callable[[float], object]
) -> IntakeStage:
    return IntakeStage(
        KafkaSource(kafka_settings(settings), start_offsets=_ledger_offsets(stores.intake)),
        stores.intake,
        stores.halts,
        model_line=settings.model_line,
        holdout=stores.holdout,
        limits=limits(settings),
        keep_bytes=settings.dead_letters.keep == "bytes",
        redactor=redactor(settings),
        admission=admission(settings),
        metrics=metrics,
        clock=utc_now,
        poll_s=_POLL_S,
        wait=wait,
    )


def _ledger_offsets(ledger: IntakeLedger) -> StartOffsets:
    def offsets(assigned: Iterable[TopicPartition]) -> Mapping[TopicPartition, Start]:
        known = ledger.starts()
        return {source: known[source] for source in assigned if source in known}

    return offsets


def _training(settings: Settings, stores: Stores, metrics: Metrics, base: Path, digest: str) -> TrainingStage:
    plan = Plan(
        model_line=settings.model_line,
        base=base,
        base_digest=digest,
        conversations=stores.conversations,
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

    return TrainingStage(
        stores.trainings,
        plan=plan,
        start=start,
        register=register,
        runs_dir=settings.state_dir.absolute() / "runs",
        timeout=timedelta(seconds=settings.learning.timeout_s),
        metrics=metrics,
        clock=utc_now,
    )


def _releasing(
    settings: Settings, stores: Stores, metrics: Metrics, base: Path
) -> tuple[ReleasingStage, LoadedVersions]:
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

    loaded = LoadedVersions(
        start, stores.artifacts, keep=settings.release.keep_loaded, metrics=metrics, clock=utc_now
    )
    stage = ReleasingStage(
        stores.versions,
        stores.windows,
        stores.trainings,
        loaded,
        HeldOut(
            ledger=stores.conversations, limit=settings.gate.max_conversations, seed=settings.learning.seed
        ),
        model_line=settings.model_line,
        put_live=lambda: put_live(stores, model_line=settings.model_line, clock=utc_now),
        gate=gate_settings(settings),
        automatic=settings.release.automatic,
        reference_size=settings.windows.reference_size,
        metrics=metrics,
        clock=utc_now,
    )
    return stage, loaded
