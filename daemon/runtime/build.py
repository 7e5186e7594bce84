"""Runs one replica of the daemon, built from its parts."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import get_args

from daemon.config.addresses import bracketed
from daemon.config.live import LiveSettings
from daemon.config.sections.logging import LoggingSection
from daemon.config.settings import Settings
from daemon.config.urls import without_secrets
from daemon.domain.clock import utc_now
from daemon.domain.errors import LedgerError
from daemon.domain.private_files import make_private_folder
from daemon.domain.problems import ProblemKind
from daemon.domain.process_identity import ProcessIdentity
from daemon.domain.streams import Start, StartOffsets, TopicPartition
from daemon.erasure.forget import TrainingFiles
from daemon.http.health import Health
from daemon.http.served import LineReports, ReportSources
from daemon.http.server import HttpServer
from daemon.intake.router import Router
from daemon.intake.stage import IntakeStage
from daemon.kafka import KafkaSource
from daemon.kafka.settings import KafkaSettings
from daemon.ledger.database import disk_free_bytes, size_bytes
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.lease import Lease
from daemon.ledger.ledger_id import LedgerId
from daemon.ledger.situation import read_situation
from daemon.ledger.stores import Stores, fenced_stores, ledger_url, open_stores
from daemon.release.bound import refuse_differences
from daemon.runtime.base_model import BaseModel, find_base_model
from daemon.runtime.bound_stage import BoundStage
from daemon.runtime.build_leader import build_leader
from daemon.runtime.build_training import job_files, runs_dir
from daemon.runtime.credentials_stage import CredentialsStage
from daemon.runtime.fresh_ledger import refuse_empty_ledger, refuse_left_behind, refuse_lost_file
from daemon.runtime.garbage_collector import relax_garbage_collector
from daemon.runtime.housekeeping import HousekeepingStage
from daemon.runtime.kafka_settings import load_kafka_settings
from daemon.runtime.leadership import LeaderRuntime, LeadershipStage
from daemon.runtime.ledger_outage import LedgerOutage
from daemon.runtime.ledger_watch import LedgerWatchStage
from daemon.runtime.loop import Loop
from daemon.runtime.opening import open_when_up
from daemon.runtime.problems import Problems
from daemon.runtime.reload_signal import reload_on_hangup
from daemon.runtime.reporting import ReportingStage
from daemon.runtime.schemas import load_schemas
from daemon.runtime.settings_reload import ReloadSource, SettingsReload
from daemon.runtime.stage import Stage
from daemon.runtime.stop_signals import stop_on_signals
from daemon.telemetry.log_context import log_identity
from daemon.telemetry.metrics import ChildName, Metrics
from daemon.views.certificates import certificates
from learners.embedding.encoder_files import resolve_encoder

_log = logging.getLogger(__name__)
_POLL_S = 0.2
#: Within which a line closes its stages, so that the daemon ends within 20 s of SIGTERM.
CLOSE_WITHIN_S = 15.0
_OF_LEADER = (
    ProblemKind.ARTIFACT_DAMAGED,
    ProblemKind.DEAD_LETTERS,
    ProblemKind.SCORER_DOWN,
    ProblemKind.TARGET_DIFFERS,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedLine:
    """A model line that can run: its ledger is open, and its base model is the one that the ledger is bound to."""

    live: LiveSettings
    kafka: KafkaSettings
    stores: Stores
    ledger: LedgerId
    base: BaseModel
    health: Health
    metrics: Metrics

    @property
    def reports(self) -> LineReports:
        """Its reports, and what is going on in it."""
        return LineReports(
            ledger=self.stores.reports, read_situation=lambda: read_situation(self.stores, self.live.current)
        )


def run_daemon(
    settings: Settings,
    *,
    settings_file: Path,
    load: Callable[[], Settings],
    configure_logging: Callable[[LoggingSection], None],
) -> int:
    """Run until SIGTERM or SIGINT, once logging is set up; return the exit status. The log names the settings' file.

    SIGHUP has the settings read again by ``load``, which raises SettingsError.

    Raises LedgerLost where going on would lose data, and DaemonError, LearnerError or RegistryError where it can't start.
    """
    with reload_on_hangup() as requests:
        source = ReloadSource(requests=requests, load=load, configure_logging=configure_logging)
        with log_identity(model_line=settings.model_line):
            return _run(settings, settings_file, source)


def _run(settings: Settings, settings_file: Path, source: ReloadSource) -> int:
    kafka = load_kafka_settings(settings)  # unusable files end the start before the model is read
    relax_garbage_collector()
    with stop_on_signals() as stop:
        opened = open_line(settings, wait=stop.wait)
    if opened is None:
        return 0
    line = prepare_line(settings, kafka, *opened)
    server = HttpServer(settings.http, line.metrics, line.health, reports=ReportSources(only=line.reports))
    with stop_on_signals() as stop, server:
        _log_start(settings, settings_file, server)
        run_line(line, source, stop=stop)
    _log.info("stopped", extra={"action": "stop"})
    return 0


def open_line(settings: Settings, *, wait: Callable[[float], bool]) -> tuple[Stores, LedgerId] | None:
    """Open the ledger of a line once its server is up; None if ``wait`` says to stop meanwhile.

    Raises LedgerUnavailable, LedgerLost, LedgerError, BadHoldoutKey.
    """
    make_private_folder(settings.state_dir)
    return open_when_up(lambda: _open(settings), clock=time.monotonic, wait=wait)


def prepare_line(settings: Settings, kafka: KafkaSettings, stores: Stores, ledger: LedgerId) -> PreparedLine:
    """Find what else the line needs. Raises DaemonError, LearnerError or RegistryError where it can't run with these settings."""
    base = find_base_model(settings.model.base)
    refuse_differences(stores, settings, base_digest=base.digest)
    if settings.monitors.embedding.model is not None:
        resolve_encoder(settings.monitors.embedding.model)  # a missing model ends the start, not leadership
    return PreparedLine(
        live=LiveSettings(settings),
        kafka=kafka,
        stores=stores,
        ledger=ledger,
        base=base,
        health=Health(clock=time.monotonic, model_line=settings.model_line),
        metrics=Metrics(settings.model_line),
    )


def run_line(line: PreparedLine, source: ReloadSource, *, stop: Event) -> None:
    """Run the line's loop until ``stop``, then close its stages. Raises what ends it, such as LedgerLost."""
    settings, stores, metrics, health = line.live.current, line.stores, line.metrics, line.health
    reload = SettingsReload(line.live, source, report=health.show_reload, metrics=metrics, clock=utc_now)
    problems = Problems(health, metrics)
    intake = _intake(settings, line.kafka, stores, metrics, stop.wait)
    leadership = _leadership(line.live, stores, metrics, line.base, intake)
    bound = BoundStage(stores, settings, line.base, clock=utc_now)
    stages: list[Stage] = [
        LedgerWatchStage(line.ledger, clock=utc_now),
        intake,
        leadership,
        _housekeeping(settings, stores, metrics, leadership),
        bound,
        _credentials(settings, line.kafka, metrics),
        _reporting(health, problems, intake, leadership, bound),
    ]
    outage = LedgerOutage(
        problems,
        reset=(leadership.reset, intake.reset),
        probe=line.ledger.check,
        clock=time.monotonic,
        wait=stop.wait,
    )
    loop = Loop(
        stages,
        stop=stop,
        beat=health.beat,
        reload=reload.step,
        outage=outage,
        metrics=metrics,
        close_within_s=CLOSE_WITHIN_S,
    )
    metrics.process.line_up.set(1)
    loop.run()


def _open(settings: Settings) -> tuple[Stores, LedgerId]:
    """Open the stores. Raises LedgerUnavailable, LedgerLost, LedgerError."""
    refuse_left_behind(settings)
    refuse_lost_file(settings)
    stores = open_stores(settings)
    try:
        refuse_empty_ledger(settings, stores)
        ledger = LedgerId(stores.engine)
        ledger.note_opened()
    except LedgerError:
        stores.engine.dispose()
        raise
    return stores, ledger


def _log_start(settings: Settings, settings_file: Path, server: HttpServer) -> None:
    """Log what this process works with, so that a wrong file or address is seen at once."""
    _log.info(
        "%s is running: settings %s, ledger %s, topic %s, group %s, address http://%s:%d",
        settings.model_line,
        settings_file.absolute(),
        without_secrets(ledger_url(settings).render_as_string(hide_password=True)),
        settings.kafka.topic,
        settings.kafka.group_id,
        bracketed(server.host),
        server.port,
        extra={"action": "start"},
    )


def _leadership(
    live: LiveSettings, stores: Stores, metrics: Metrics, base: BaseModel, intake: IntakeStage
) -> LeadershipStage:
    def connected() -> bool:
        """Return whether the broker answers. A halted intake does not ask it."""
        return intake.connected or intake.halted is not None

    def build(fencing_token: int) -> LeaderRuntime:
        fenced = fenced_stores(stores, live.current, fencing_token)
        return build_leader(live, fenced, metrics, base, connected=connected)

    return LeadershipStage(_lease(live.current, stores), build, metrics=metrics)


def _reporting(
    health: Health,
    problems: Problems,
    intake: IntakeStage,
    leadership: LeadershipStage,
    bound: BoundStage,
) -> ReportingStage:
    sources: dict[ProblemKind, Callable[[], str | None]] = {
        ProblemKind.BOUND: lambda: bound.problem,
        ProblemKind.BROKER: lambda: intake.problem,
        ProblemKind.INTAKE_HALTED: lambda: intake.halted,
        **{kind: partial(leadership.problem, kind) for kind in _OF_LEADER},
    }
    return ReportingStage(health, problems, sources, notes=lambda: intake.notes)


def _lease(settings: Settings, stores: Stores) -> Lease:
    this = ProcessIdentity.this_process()
    return Lease(stores.engine, this, ttl_s=settings.leader.lease_s, clock=time.monotonic)


def _housekeeping(
    settings: Settings, stores: Stores, metrics: Metrics, leadership: LeadershipStage
) -> HousekeepingStage:
    children: tuple[ChildName, ...] = get_args(ChildName)
    return HousekeepingStage(
        state_dir=settings.state_dir,
        ledger_size=lambda: size_bytes(ledger_url(settings)),
        ledger_disk_free=lambda: disk_free_bytes(ledger_url(settings)),
        artifacts_size=stores.artifacts.size_bytes,
        children={child: partial(leadership.pid, child) for child in children},
        sweep=TrainingFiles(
            stores.erasures, runs_dir(settings), job_files(settings), model_line=settings.model_line
        ).sweep,
        metrics=metrics,
        clock=utc_now,
    )


def _credentials(settings: Settings, kafka: KafkaSettings, metrics: Metrics) -> CredentialsStage:
    return CredentialsStage(
        lambda: certificates(settings, utc_now()), kafka.oauth, metrics=metrics, clock=utc_now
    )


def _intake(
    settings: Settings,
    kafka: KafkaSettings,
    stores: Stores,
    metrics: Metrics,
    wait: Callable[[float], object],
) -> IntakeStage:
    return IntakeStage(
        KafkaSource(kafka, start_offsets=_ledger_offsets(stores.intake)),
        stores,
        Router(settings, stores.holdout, load_schemas(settings)),
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
