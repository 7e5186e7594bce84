"""Builds the daemon out of its parts. The only place that knows the concrete ones."""

import gc
import logging
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from threading import Event
from types import FrameType
from typing import get_args

from daemon.config.settings import Settings
from daemon.domain.clock import utc_now
from daemon.domain.process_identity import ProcessIdentity
from daemon.domain.streams import Start, StartOffsets, TopicPartition
from daemon.erasure.forget import TrainingFiles
from daemon.http.health import Component, Health
from daemon.http.report_pages import ReportPages
from daemon.http.server import HttpServer
from daemon.intake.from_settings import admission, limits, redactor
from daemon.intake.stage import IntakeStage
from daemon.kafka import KafkaSource
from daemon.ledger.database import size_bytes
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.lease import Lease
from daemon.ledger.stores import Stores, fenced_stores, ledger_url, open_stores
from daemon.runtime.base_model import BaseModel, find_base_model
from daemon.runtime.build_leader import build_leader
from daemon.runtime.housekeeping import HousekeepingStage
from daemon.runtime.kafka_settings import kafka_settings
from daemon.runtime.leadership import LeadershipStage
from daemon.runtime.loop import Loop
from daemon.runtime.reporting import ReportingStage
from daemon.runtime.stage import Stage
from daemon.telemetry.logs import configure_logging
from daemon.telemetry.metrics import ChildName, Metrics
from learners.embedding.encoder_files import resolve_encoder

_log = logging.getLogger(__name__)
_POLL_S = 0.2
_CLOSE_WITHIN_S = 15.0


def run_daemon(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; return the exit status.

    Raises DaemonError, LearnerError or RegistryError where it can't start.
    """
    kafka_settings(settings)  # a file that can't be used is told now, not once the model has been read
    configure_logging(settings.logging.level, settings.logging.format)
    spare_collector()
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    stores, metrics = open_stores(settings), Metrics()
    base = find_base_model(settings.model.base)
    if settings.monitors.embedding.model is not None:
        resolve_encoder(settings.monitors.embedding.model)  # told now, not once this replica leads
    health = Health(clock=time.monotonic, components=(Component.BROKER, Component.INTAKE, Component.SCORER))
    reports = ReportPages(stores.reports, access=settings.http.reports)
    http = settings.http
    with _stopped_by_signals() as stop, HttpServer(http.host, http.port, metrics, health, reports=reports):
        stages = _stages(settings, stores, metrics, health, base, wait=stop.wait)
        _log.info(
            "%s is running", settings.model_line, extra={"action": "start", "model_line": settings.model_line}
        )
        Loop(stages, stop=stop, beat=health.beat, metrics=metrics, close_within_s=_CLOSE_WITHIN_S).run()
    _log.info("stopped", extra={"action": "stop", "model_line": settings.model_line})
    return 0


def spare_collector() -> None:
    """Have the garbage collector look less often, and not at what was loaded at the start.

    A batch is tens of thousands of short-lived values without cycles; looking for some took a tenth of the intake's time.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


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
    base: BaseModel,
    *,
    wait: Callable[[float], object],
) -> list[Stage]:
    """Build what runs in every replica. ``wait`` ends early when told to stop."""
    intake = _intake(settings, stores, metrics, wait)

    def answers() -> bool:
        return intake.connected or intake.halted is not None

    leading = LeadershipStage(
        Lease(
            stores.engine, ProcessIdentity.this_process(), ttl_s=settings.leader.lease_s, clock=time.monotonic
        ),
        lambda fence: build_leader(
            settings, fenced_stores(stores, settings, fence), metrics, base, connected=answers
        ),
        metrics=metrics,
    )
    probes: dict[Component, Callable[[], str | None]] = {
        Component.BROKER: lambda: None if answers() else "no broker answers",
        Component.INTAKE: lambda: intake.halted,
        Component.SCORER: lambda: leading.problem,
    }
    children: tuple[ChildName, ...] = get_args(ChildName)
    return [
        intake,
        leading,
        HousekeepingStage(
            state_dir=settings.state_dir,
            ledger_size=lambda: size_bytes(ledger_url(settings)),
            artifacts_size=stores.artifacts.size_bytes,
            children={child: partial(leading.pid, child) for child in children},
            sweep=TrainingFiles(stores.erasures, settings.state_dir / "runs").sweep,
            metrics=metrics,
            clock=utc_now,
        ),
        ReportingStage(health, probes),
    ]


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
