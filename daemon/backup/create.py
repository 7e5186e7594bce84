"""Writes a backup while the daemon runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from daemon.backup.archive import ArchiveWriter, written
from daemon.backup.errors import BackupRefused
from daemon.backup.manifest import ARTIFACTS, FORMAT, KEY, LEDGER, POINTER, ArtifactEntry, BackupManifest
from daemon.backup.places import artifact_store, pointer_file
from daemon.backup.workspace import workspace
from daemon.config.settings import Settings
from daemon.domain.errors import LedgerError
from daemon.domain.holdout import BadHoldoutKey, Holdout
from daemon.ledger.snapshot import LedgerSnapshot, snapshot
from daemon.ledger.stores import holdout_key_path, ledger_url

_CHUNK = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupReport:
    """What a backup holds, and what it leaves out."""

    file: Path
    bytes: int
    rows: int
    versions: int
    artifacts: tuple[ArtifactEntry, ...]


def create_backup(
    settings: Settings, file: Path, *, with_artifacts: bool, replace: bool, now: datetime
) -> BackupReport:
    """Write ledger, holdout key, live.json and, if wanted, the artifacts to a file, as they are at one moment.

    Raises BackupRefused where the file exists and may not be replaced, LedgerError where the ledger can't be read,
    BadHoldoutKey where the key is not the ledger's, and BadArtifact.
    """
    if file.exists() and not replace:
        raise BackupRefused(f"{file} exists; name another file, or replace it with --yes")
    partial = file.parent / f".{settings.model_line}.{file.name}.partial"
    with workspace(settings.state_dir) as folder, written(file, partial) as archive:
        manifest = _fill(settings, archive, folder, with_artifacts=with_artifacts, now=now)
        archive.finish(manifest)
    return BackupReport(
        file=file,
        bytes=file.stat().st_size,
        rows=sum(manifest.rows.values()),
        versions=manifest.rows.get("versions", 0),
        artifacts=manifest.artifacts,
    )


def _fill(
    settings: Settings, archive: ArchiveWriter, folder: Path, *, with_artifacts: bool, now: datetime
) -> BackupManifest:
    with snapshot(ledger_url(settings), folder=folder) as ledger:
        revision, documents = ledger.revision(), ledger.versions()
        check_identity(settings, ledger.facts())
        rows = _add_tables(archive, ledger)
    archive.add(KEY, [holdout_key_path(settings).read_bytes()])
    if pointer_file(settings).exists():
        archive.add(POINTER, [pointer_file(settings).read_bytes()])
    needed = _needed(documents, included=with_artifacts)
    if with_artifacts:
        _add_artifacts(settings, archive, needed)
    return BackupManifest(
        format=FORMAT,
        retuned=version("retuned"),
        created_at=now.isoformat(),
        model_line=settings.model_line,
        ledger=ledger.database,
        revision=revision,
        rows=rows,
        artifacts=needed,
        files=archive.files,
    )


def check_identity(settings: Settings, facts: Mapping[str, str]) -> None:
    """Refuse another line's ledger, and one whose key is not at hand: nobody could open it elsewhere.

    Raises LedgerError, BadHoldoutKey.
    """
    line = facts.get("model_line")
    if line != settings.model_line:
        raise LedgerError(
            f"the ledger is that of the model line {line}, the settings name {settings.model_line}; check --config"
        )
    key = holdout_key_path(settings)
    try:
        found = Holdout(key.read_bytes().strip(), share=settings.holdout.share).fingerprint
    except OSError as error:
        raise BadHoldoutKey(
            f"the holdout key {key} can't be read: {error.strerror}; check holdout.key_file"
        ) from error
    if facts.get("holdout") != found:
        raise BadHoldoutKey(
            f"the holdout key {key} is not the ledger's: its fingerprint is {found}, the ledger has "
            f"{facts.get('holdout')}; restore the key and holdout.share"
        )


def _add_tables(archive: ArchiveWriter, ledger: LedgerSnapshot) -> dict[str, int]:
    rows = {}
    for name, lines in ledger.tables():
        count = _Count()
        archive.add(f"{LEDGER}{name}.jsonl", count.over(lines))
        rows[name] = count.lines - 1  # the first line names the columns
    return rows


class _Count:
    """Counts lines as they pass."""

    def __init__(self) -> None:
        self.lines = 0

    def over(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            self.lines += 1
            yield line


def _needed(documents: Sequence[Mapping[str, Any]], *, included: bool) -> tuple[ArtifactEntry, ...]:
    return tuple(
        ArtifactEntry(
            version=str(document["name"]),
            digest=document["digest"],
            url=document["artifact"],
            included=included,
        )
        for document in documents
        if document["artifact"] is not None
    )


def _add_artifacts(settings: Settings, archive: ArchiveWriter, needed: Sequence[ArtifactEntry]) -> None:
    store = artifact_store(settings)
    for entry in needed:
        folder = store.fetch(entry.url, entry.digest)
        for path in sorted(folder.iterdir()):
            name = f"{ARTIFACTS}{entry.version}/{entry.digest}/{path.name}"
            archive.add(name, _chunks(path))


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            yield chunk
