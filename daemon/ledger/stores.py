"""Opens the durable stores that the settings name: ledger, registry, artifacts and target."""

import uuid
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Engine, make_url

from daemon.config.holdout_key import create_key, key_path, read_key
from daemon.config.settings import Settings
from daemon.domain.errors import DaemonError
from daemon.domain.holdout import BadHoldoutKey, Holdout
from daemon.ledger.bound_facts import HOLDOUT, LEDGER_ID, bound_facts, is_empty
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.database import bind_identity, fenced, open_ledger, reader, sqlite_file
from daemon.ledger.dead_letters import DeadLetterLedger
from daemon.ledger.decisions import DecisionLedger
from daemon.ledger.detectors import DetectorLedger
from daemon.ledger.erasures import ErasureLedger
from daemon.ledger.gate_answers import GateAnswerLedger
from daemon.ledger.halts import HaltLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.lesson_scores import LessonScoreLedger
from daemon.ledger.marks import LedgerMarks
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.reports import ReportLedger
from daemon.ledger.restore_journal import finish_restore
from daemon.ledger.runs import RunLedger
from daemon.ledger.signals import SignalLedger
from daemon.ledger.teacher import TeacherLedger
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
    teacher: TeacherLedger
    lesson_scores: LessonScoreLedger
    gate_answers: GateAnswerLedger
    versions: Store
    artifacts: ArtifactStore
    target: Target
    marks: LedgerMarks
    holdout: Holdout


def ledger_url(settings: Settings) -> URL:
    """Return the URL of the ledger; by default, SQLite in the state folder."""
    if settings.ledger_url is not None:
        return make_url(settings.ledger_url)
    return URL.create("sqlite", database=str((settings.state_dir / "ledger.db").absolute()))


def has_ledger(settings: Settings) -> bool:
    """Return whether there may be a ledger: there is no file of it that is missing."""
    file = sqlite_file(ledger_url(settings))
    return file is None or file.exists()


def artifacts_url(settings: Settings) -> str:
    """Return the URL of the artifact store; by default, a folder in the state folder."""
    return settings.artifacts_url or f"file://{(settings.state_dir / 'artifacts').absolute()}"


def target_dir(settings: Settings) -> Path:
    """Return the folder whose live.json names the live version."""
    return settings.target_dir or settings.state_dir / "target"


def open_stores(settings: Settings, *, may_create_key: bool = True) -> Stores:
    """Open the stores and migrate the ledger to the schema of this release.

    Where there is no holdout key, it is created if the ledger is empty and ``may_create_key`` allows it.
    Raises LedgerError if the ledger can't be used, or belongs to another model line or holdout key, and BadHoldoutKey.
    """
    finish_restore(settings.state_dir)
    path, share = holdout_key_path(settings), settings.holdout.share
    # Read first where it must be there, so that no ledger is created beside a key that can't be used.
    present = path.exists() or settings.holdout.key_file is not None
    holdout = Holdout(read_key(path), share=share) if present else None
    engine = open_ledger(ledger_url(settings))
    try:
        if holdout is None:
            _create_key(path, engine, may=may_create_key)
            holdout = Holdout(read_key(path), share=share)
        facts = {"model_line": settings.model_line, HOLDOUT: holdout.fingerprint}
        bind_identity(engine, facts, made_once={LEDGER_ID: uuid.uuid4().hex})
    except (DaemonError, OSError):
        engine.dispose()
        raise
    return build_stores(settings, engine, holdout)


def holdout_key_path(settings: Settings) -> Path:
    """Return where the holdout key lies."""
    return key_path(settings.holdout.key_file, state_dir=settings.state_dir)


def _create_key(path: Path, engine: Engine, *, may: bool) -> None:
    """Create the key of an empty ledger. Raises BadHoldoutKey for any other: a new key would split users anew."""
    fingerprint = bound_facts(engine).get(HOLDOUT)
    if fingerprint is not None:
        raise BadHoldoutKey(
            f"there is no holdout key at {path}, but the ledger was created with the one of fingerprint {fingerprint}; "
            "restore the key there from a backup, or set holdout.key_file"
        )
    if not may or not is_empty(engine):
        raise BadHoldoutKey(
            f"there is no holdout key at {path}; the first start of `retuned run` on an empty ledger creates it"
        )
    create_key(path)


def fenced_stores(stores: Stores, settings: Settings, fence: int) -> Stores:
    """Return the same stores for the leader with this fencing token. With a stale token, writes raise StaleLeader."""
    return build_stores(settings, fenced(stores.engine, fence), stores.holdout)


def build_stores(settings: Settings, engine: Engine, holdout: Holdout) -> Stores:
    """Return the stores of an open ledger."""
    versions = SqlStore(engine, reads=reader(engine))
    artifacts = FsspecArtifactStore(artifacts_url(settings), cache=settings.state_dir / "cache")
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
        teacher=TeacherLedger(engine),
        lesson_scores=LessonScoreLedger(engine),
        gate_answers=GateAnswerLedger(engine),
        versions=versions,
        artifacts=artifacts,
        target=DirectoryTarget(target_dir(settings)),
        marks=LedgerMarks(
            engine, versions, artifacts, model_line=settings.model_line, state_dir=settings.state_dir
        ),
        holdout=holdout,
    )
