"""Opens the durable stores that the settings name: ledger, registry, artifacts and target."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Engine, make_url

from daemon.config.holdout_key import read_key
from daemon.config.settings import Settings
from daemon.domain.holdout import Holdout
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.database import bind_identity, fenced, open_ledger, reader
from daemon.ledger.dead_letters import DeadLetterLedger
from daemon.ledger.decisions import DecisionLedger
from daemon.ledger.detectors import DetectorLedger
from daemon.ledger.erasures import ErasureLedger
from daemon.ledger.halts import HaltLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.reports import ReportLedger
from daemon.ledger.runs import RunLedger
from daemon.ledger.scores import ScoreLedger
from daemon.ledger.signals import SignalLedger
from daemon.ledger.triages import TriageLedger
from daemon.ledger.windows import WindowLedger
from registry.artifacts import ArtifactStore, FsspecArtifactStore
from registry.directory_target import DirectoryTarget
from registry.sql import SqlStore
from registry.store import Store
from registry.targets import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Stores:
    """The durable state of one model line."""

    engine: Engine
    intake: IntakeLedger
    halts: HaltLedger
    dead_letters: DeadLetterLedger
    erasures: ErasureLedger
    conversations: ConversationLedger
    references: ReferenceLedger
    windows: WindowLedger
    reports: ReportLedger
    detectors: DetectorLedger
    signals: SignalLedger
    triages: TriageLedger
    decisions: DecisionLedger
    runs: RunLedger
    scores: ScoreLedger
    versions: Store
    artifacts: ArtifactStore
    target: Target
    holdout: Holdout


def ledger_url(settings: Settings) -> URL:
    """Return the URL of the ledger; by default, SQLite in the state folder."""
    if settings.ledger_url is not None:
        return make_url(settings.ledger_url)
    return URL.create("sqlite", database=str((settings.state_dir / "ledger.db").absolute()))


def artifacts_url(settings: Settings) -> str:
    """Return the URL of the artifact store; by default, a folder in the state folder."""
    return settings.artifacts_url or f"file://{(settings.state_dir / 'artifacts').absolute()}"


def target_dir(settings: Settings) -> Path:
    """Return the folder whose live.json names the live version."""
    return settings.target_dir or settings.state_dir / "target"


def open_stores(settings: Settings) -> Stores:
    """Open the stores and migrate the ledger to the schema of this release.

    Raises LedgerError if the ledger can't be used, or belongs to another model line or holdout key.
    """
    holdout = Holdout(
        read_key(settings.holdout.key_file, state_dir=settings.state_dir), share=settings.holdout.share
    )
    engine = open_ledger(ledger_url(settings))
    bind_identity(engine, {"model_line": settings.model_line, "holdout": holdout.fingerprint})
    return build_stores(settings, engine, holdout)


def fenced_stores(stores: Stores, settings: Settings, fence: int) -> Stores:
    """Return the same stores for the leader with this fencing token. With a stale token, writes raise StaleLeader."""
    return build_stores(settings, fenced(stores.engine, fence), stores.holdout)


def build_stores(settings: Settings, engine: Engine, holdout: Holdout) -> Stores:
    """Return the stores of an open ledger."""
    return Stores(
        engine=engine,
        intake=IntakeLedger(
            engine,
            window_size=settings.windows.size,
            dead_letters=settings.dead_letters,
            hygiene=settings.hygiene,
        ),
        halts=HaltLedger(engine),
        dead_letters=DeadLetterLedger(engine),
        erasures=ErasureLedger(engine),
        conversations=ConversationLedger(engine, label_fields=settings.monitors.label_fields),
        references=ReferenceLedger(engine),
        windows=WindowLedger(engine),
        reports=ReportLedger(engine),
        detectors=DetectorLedger(engine),
        signals=SignalLedger(engine),
        triages=TriageLedger(engine),
        decisions=DecisionLedger(engine),
        runs=RunLedger(engine),
        scores=ScoreLedger(engine),
        versions=SqlStore(engine, reads=reader(engine)),
        artifacts=FsspecArtifactStore(artifacts_url(settings), cache=settings.state_dir / "cache"),
        target=DirectoryTarget(target_dir(settings)),
        holdout=holdout,
    )
