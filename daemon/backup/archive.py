"""Writes and reads the file of a backup: a ZIP archive with a manifest."""

import hashlib
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from atomicwrites import replace_atomic

from daemon.backup.errors import BadBackup
from daemon.backup.manifest import MANIFEST, BackupManifest, FileEntry, from_bytes, to_bytes

_CHUNK = 2**20
_LEVEL = 1  # text of conversations shrinks to a third; higher levels are slower and hardly smaller


class ArchiveWriter:
    """Adds files to an archive and takes their digests."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.files: dict[str, FileEntry] = {}

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """Add a file."""
        digest, size = hashlib.sha256(), 0
        with self._archive.open(name, "w", force_zip64=True) as opened:
            for chunk in chunks:
                opened.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        self.files[name] = FileEntry(sha256=digest.hexdigest(), bytes=size)

    def finish(self, manifest: BackupManifest) -> None:
        """Add the manifest, which is the last file."""
        self._archive.writestr(MANIFEST, to_bytes(manifest))


@contextmanager
def written(file: Path, partial: Path) -> Iterator[ArchiveWriter]:
    """Write an archive to ``partial`` and give it the name ``file`` at the end, when all of it is on the disk.

    Its owner alone can read it. After an exception, or a kill, ``file`` is what it was before.
    """
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w+b") as opened:
            with zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
                yield ArchiveWriter(archive)
            opened.flush()
            sys.audit("retuned.step", "backup.sync", "before")
            os.fsync(descriptor)
            sys.audit("retuned.step", "backup.sync", "after")
        sys.audit("retuned.step", "backup.replace", "before")
        replace_atomic(str(partial), str(file))
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sys.audit("retuned.step", "backup.replace", "after")


@contextmanager
def opened(file: Path) -> Iterator["BackupArchive"]:
    """Open an archive. Raises BadBackup if any of its files is not as its digest says."""
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise BadBackup(f"{file} is no backup of retuned, or is cut short; use another") from error
    with archive:
        try:
            manifest = from_bytes(archive.read(MANIFEST), where=str(file))
        except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError) as error:
            raise BadBackup(f"{file} is no backup of retuned, or is damaged; use another") from error
        found = BackupArchive(archive, manifest)
        _check(file, archive, found)
        yield found


class BackupArchive:
    """Reads an archive that was checked."""

    def __init__(self, archive: zipfile.ZipFile, manifest: BackupManifest) -> None:
        self._archive = archive
        self.manifest = manifest

    def names(self, folder: str) -> list[str]:
        """Return the files in a folder."""
        return [name for name in self.manifest.files if name.startswith(folder)]

    def has(self, name: str) -> bool:
        """Return whether it holds a file."""
        return name in self.manifest.files

    def read(self, name: str) -> bytes:
        """Return a small file."""
        return b"".join(self.chunks(name))

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file."""
        with self._archive.open(name) as opened:
            yield from opened

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file."""
        with self._archive.open(name) as opened:
            read: Callable[[], bytes] = lambda: opened.read(_CHUNK)  # noqa: E731
            yield from iter(read, b"")


def _check(file: Path, archive: zipfile.ZipFile, found: BackupArchive) -> None:
    """Compare every file with the manifest."""
    present, listed = set(archive.namelist()) - {MANIFEST}, set(found.manifest.files)
    if present != listed:
        raise BadBackup(
            f"{file} has other files than its manifest lists: {', '.join(sorted(present ^ listed))}; use another"
        )
    for name, entry in found.manifest.files.items():
        digest = hashlib.sha256()
        try:
            for chunk in found.chunks(name):
                digest.update(chunk)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise BadBackup(f"{file} is damaged: {name} can't be read; use another backup") from error
        if digest.hexdigest() != entry.sha256:
            raise BadBackup(
                f"{file} is damaged: {name} does not have the digest that the manifest lists; use another backup"
            )
