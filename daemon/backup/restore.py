"""Restores a backup: the ledger, the holdout key, live.json and the artifacts."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count
from pathlib import Path

from daemon.backup.archive import BackupArchive, opened
from daemon.backup.artifacts import put_artifacts
from daemon.backup.errors import BackupRefused
from daemon.backup.manifest import KEY, LEDGER, POINTER, ArtifactEntry
from daemon.backup.places import artifact_store, pointer_file
from daemon.backup.workspace import workspace
from daemon.config.settings import Settings
from daemon.domain.holdout import Holdout
from daemon.domain.private_files import make_private_folder
from daemon.ledger.database import sqlite_file
from daemon.ledger.marks import withdraw_marks
from daemon.ledger.restore_journal import Move, commit_restore
from daemon.ledger.restoring import (
    build_file,
    leader_of,
    ledger_exists,
    replace_on_server,
    settle,
)
from daemon.ledger.stores import holdout_key_path, ledger_url, open_stores
from daemon.release.sync import NotSwitched, sync_target


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreReport:
    """What was restored, and what is still needed."""

    file: Path
    created_at: str
    rows: int
    kept: tuple[str, ...]  # what was replaced, under its new name
    artifacts: int  # put into the artifact store
    needed: tuple[ArtifactEntry, ...]  # not in the backup; they have to be in the artifact store
    live: (
        str | None
    )  # the version that live.json names now; None if its artifact is missing, or nothing is live


def restore_backup(
    settings: Settings,
    file: Path,
    *,
    replace: bool,
    now: datetime,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> RestoreReport:
    """Check a backup wholly, then put what it holds where the settings say. A kill leaves the old state or the new one.

    What it replaces is kept under another name. Raises BadBackup, BackupRefused where a ledger exists and may not be
    replaced, LedgerInUse where a daemon uses it, and LedgerError.
    """
    with workspace(settings.state_dir) as folder, opened(file) as archive:
        _check_settings(settings, archive)
        url = ledger_url(settings)
        exists = ledger_exists(url)
        if exists:
            _check_place(settings, replace=replace, clock=clock, sleep=sleep)
        store = artifact_store(settings)
        included = put_artifacts(store, archive, folder)
        pointer = _pointer(archive)
        withdraw_marks(store, model_line=settings.model_line, state_dir=settings.state_dir)
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        ledger = sqlite_file(url)
        if ledger is not None:
            kept = _into_file(settings, ledger, archive, pointer, stamp, exists=exists)
        else:
            kept = _onto_server(settings, archive, pointer, stamp, exists=exists)
        manifest = archive.manifest
        live = _serve(settings, now)
    return RestoreReport(
        file=file,
        created_at=manifest.created_at,
        rows=sum(manifest.rows.values()),
        kept=tuple(kept),
        artifacts=len(included),
        needed=tuple(entry for entry in manifest.artifacts if entry.digest not in included),
        live=live,
    )


def _check_settings(settings: Settings, archive: BackupArchive) -> None:
    """Raise BackupRefused where the ledger of the backup could not be opened with these settings."""
    line = archive.manifest.model_line
    if line != settings.model_line:
        raise BackupRefused(
            f"the backup is of the model line {line}, the settings name {settings.model_line}; check --config"
        )
    wanted = _identity(archive).get("holdout", "")
    found = Holdout(archive.read(KEY).strip(), share=settings.holdout.share).fingerprint
    if wanted != found:
        raise BackupRefused(
            f"the backup was made with holdout.share {wanted.partition('/')[2]}, the settings have "
            f"{settings.holdout.share:g}; set it back, and repeat the command"
        )


def _identity(archive: BackupArchive) -> Mapping[str, str]:
    lines = archive.lines(f"{LEDGER}identity.jsonl")
    columns = [name for name, _ in json.loads(next(lines))]
    rows = [dict(zip(columns, json.loads(line), strict=True)) for line in lines]
    return {row["name"]: row["value"] for row in rows}


def _check_place(
    settings: Settings, *, replace: bool, clock: Callable[[], float], sleep: Callable[[float], None]
) -> None:
    """Raise BackupRefused where a daemon runs, or where the ledger may not be replaced."""
    leader = leader_of(ledger_url(settings), lease_s=settings.leader.lease_s, clock=clock, sleep=sleep)
    if leader is not None:
        raise BackupRefused(f"the daemon runs ({leader}); stop it, and repeat the command")
    if not replace:
        raise BackupRefused(
            f"{settings.model_line} has a ledger already; --yes replaces it, and keeps it under another name"
        )


def _tables(archive: BackupArchive) -> dict[str, Iterator[bytes]]:
    return {
        name.removeprefix(LEDGER).removesuffix(".jsonl"): archive.lines(name)
        for name in archive.names(LEDGER)
    }


def _into_file(
    settings: Settings,
    ledger: Path,
    archive: BackupArchive,
    pointer: bytes | None,
    stamp: str,
    *,
    exists: bool,
) -> list[str]:
    """Restore to SQLite; return what was kept. Ledger, key and live.json take their places in one step."""
    prepared = _beside(ledger)
    build_file(prepared, _tables(archive), revision=archive.manifest.revision)
    moves = [
        Move(prepared=prepared, place=ledger.absolute(), aside=_aside(ledger, stamp) if exists else None)
    ]
    key, content = holdout_key_path(settings), archive.read(KEY)
    if not key.exists() or key.read_bytes() != content:
        aside = _aside(key, stamp) if key.exists() else None
        moves.append(Move(prepared=_prepare(key, content, 0o600), place=key, aside=aside))
    moves += _pointer_moves(settings, pointer)
    if exists:
        settle(ledger)
    commit_restore(settings.state_dir, moves)
    return [str(move.aside) for move in moves if move.aside is not None]


def _onto_server(
    settings: Settings, archive: BackupArchive, pointer: bytes | None, stamp: str, *, exists: bool
) -> list[str]:
    """Restore to PostgreSQL; return what was kept."""
    key, content = holdout_key_path(settings), archive.read(KEY)
    if key.exists() and key.read_bytes().strip() != content.strip():
        raise BackupRefused(f"{key} is not the key of the backup; move it away, and repeat the command")
    if not key.exists():
        move = Move(prepared=_prepare(key, content, 0o600), place=key, aside=None)
        commit_restore(settings.state_dir, [move])
    schema = replace_on_server(
        ledger_url(settings),
        _tables(archive),
        revision=archive.manifest.revision,
        aside=f"retuned_before_restore_{stamp.lower()}" if exists else None,
    )
    commit_restore(settings.state_dir, _pointer_moves(settings, pointer))
    return [] if schema is None else [f"schema {schema}"]


def _pointer_moves(settings: Settings, pointer: bytes | None) -> list[Move]:
    if pointer is None:
        return []
    place = pointer_file(settings)
    return [Move(prepared=_prepare(place, pointer, 0o644), place=place, aside=None)]


def _prepare(place: Path, content: bytes, mode: int) -> Path:
    """Write what is to take a place beside it."""
    make_private_folder(place.parent)
    prepared = _beside(place)
    prepared.unlink(missing_ok=True)
    descriptor = os.open(prepared, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
    return prepared


def _beside(place: Path) -> Path:
    return place.absolute().with_name(f"{place.name}.restoring")


def _aside(place: Path, stamp: str) -> Path:
    """Return a free name for what was in a place."""
    names = (
        f"{place.name}.before-restore-{stamp}{suffix}" for suffix in chain([""], map("-{}".format, count(2)))
    )
    return next(path for name in names if not (path := place.absolute().with_name(name)).exists())


def _pointer(archive: BackupArchive) -> bytes | None:
    """Return the live.json to write; None where the artifact that it names is not in that place on this machine."""
    if not archive.has(POINTER):
        return None
    content = archive.read(POINTER)
    try:
        artifact = json.loads(content)["artifact"]
        return content if artifact is None or Path(artifact).is_dir() else None
    except (ValueError, KeyError, TypeError):
        return None


def _serve(settings: Settings, now: datetime) -> str | None:
    """Have the marks name the restored ledger, and live.json the version that is live in it; return that version."""
    stores = open_stores(settings)
    try:
        stores.marks.accept()
        live = sync_target(stores, model_line=settings.model_line, clock=lambda: now).live
    except NotSwitched:
        return None
    finally:
        stores.engine.dispose()
    return None if live is None else str(live)
