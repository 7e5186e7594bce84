"""Restores the artifacts of a backup, and nothing else."""

import re
from dataclasses import dataclass
from pathlib import Path

from daemon.backup.archive import BackupArchive, opened
from daemon.backup.errors import BackupRefused, BadBackup
from daemon.backup.manifest import ARTIFACTS, ArtifactEntry
from daemon.backup.places import artifact_store
from daemon.backup.workspace import workspace
from daemon.config.settings import Settings
from registry.artifacts import FsspecArtifactStore
from registry.names import VersionName

_ARTIFACT_FILE = re.compile(rf"{ARTIFACTS}([a-z0-9-]+)/([0-9a-f]{{64}})/([A-Za-z0-9_][A-Za-z0-9._-]*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactsReport:
    """Which artifacts a backup put into the store."""

    file: Path
    versions: tuple[str, ...]
    needed: tuple[ArtifactEntry, ...]  # not in the backup


def restore_artifacts(settings: Settings, file: Path) -> ArtifactsReport:
    """Put the artifacts of a backup into the artifact store, also while the daemon runs; nothing there is overwritten.

    Raises BackupRefused where the backup is of another model line or holds no artifacts, and BadBackup.
    """
    with workspace(settings.state_dir) as folder, opened(file) as archive:
        manifest = archive.manifest
        if manifest.model_line != settings.model_line:
            raise BackupRefused(
                f"the backup is of the model line {manifest.model_line}, the settings name {settings.model_line}; "
                "check --config"
            )
        if not archive.names(ARTIFACTS):
            raise BackupRefused(f"{file} was made without --artifacts, so it holds none; use another backup")
        digests = put_artifacts(artifact_store(settings), archive, folder)
    return ArtifactsReport(
        file=file,
        versions=tuple(entry.version for entry in manifest.artifacts if entry.digest in digests),
        needed=tuple(entry for entry in manifest.artifacts if entry.digest not in digests),
    )


def put_artifacts(store: FsspecArtifactStore, archive: BackupArchive, folder: Path) -> set[str]:
    """Put the artifacts into the store, where none is ever overwritten; return their digests. Raises BadBackup."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for name in archive.names(ARTIFACTS):
        matched = _ARTIFACT_FILE.fullmatch(name)
        if matched is None:
            raise BadBackup(f"the backup has a file with an unusable name, {name!r}; use another backup")
        wanted.setdefault((matched[1], matched[2]), []).append(name)
    for (version, digest), names in wanted.items():
        copy = folder / digest
        copy.mkdir(exist_ok=True)
        for name in names:
            with (copy / name.rpartition("/")[2]).open("wb") as opened_file:
                opened_file.writelines(archive.chunks(name))
        if store.put(copy, VersionName.parse(version)).digest != digest:
            raise BadBackup(f"the artifact of {version} in the backup has another digest; use another backup")
    return {digest for _, digest in wanted}
