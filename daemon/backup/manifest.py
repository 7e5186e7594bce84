"""The manifest of a backup: what it holds, what it was made from, and the digest of each of its files."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from daemon.backup.errors import BadBackup

MANIFEST = "manifest.json"
KEY, POINTER = "holdout.key", "live.json"
LEDGER, ARTIFACTS = "ledger/", "artifacts/"
#: Rises when a release can't read what an earlier one wrote, or the other way round.
FORMAT = "retuned-backup/1"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileEntry:
    """One file of a backup."""

    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactEntry:
    """An artifact that a version of the ledger needs."""

    version: str
    digest: str
    url: str
    included: bool  # else it has to be in the artifact store


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupManifest:
    """What a backup holds."""

    format: str
    retuned: str  # the release that wrote it
    created_at: str
    model_line: str
    ledger: str  # sqlite or postgresql
    revision: str  # of the ledger's schema
    rows: Mapping[str, int]  # by table
    artifacts: tuple[ArtifactEntry, ...]
    files: Mapping[str, FileEntry]


_CODEC = TypeAdapter(BackupManifest)


def to_bytes(manifest: BackupManifest) -> bytes:
    """Write a manifest as JSON."""
    return _CODEC.dump_json(manifest, indent=2)


def from_bytes(content: bytes, *, where: str) -> BackupManifest:
    """Read a manifest. Raises BadBackup."""
    try:
        manifest = _CODEC.validate_json(content)
    except ValidationError as error:
        raise BadBackup(
            f"{where} is no backup that this release can read; use the release that wrote it"
        ) from error
    if manifest.format != FORMAT:
        raise BadBackup(
            f"{where} has the format {manifest.format}, this release reads {FORMAT}; use the release that wrote it"
        )
    return manifest
