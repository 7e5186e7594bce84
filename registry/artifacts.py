"""Keeps artifacts where fsspec reaches: written once, whole or not at all, checked whenever they are read."""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import fsspec
from fsspec.implementations.local import LocalFileSystem

from registry.errors import RegistryError
from registry.names import VersionName

MANIFEST = "manifest.json"
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_CHUNK = 1 << 20


class BadArtifact(RegistryError):
    """The artifact's files are not what its manifest, or its version, says they are."""


class ArtifactExists(RegistryError):
    """Another artifact is stored under the version's name. Artifacts are never replaced."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredArtifact:
    """Where an artifact is and what it is."""

    url: str
    digest: str  # sha256 of its manifest, which holds the sha256 of every file
    size_bytes: int


class ArtifactStore(Protocol):
    """Keeps immutable artifact folders under their versions' names."""

    def put(self, folder: Path, name: VersionName) -> StoredArtifact:
        """Store a folder. Storing the same again changes nothing. Raises BadArtifact, ArtifactExists."""
        ...

    def fetch(self, url: str, digest: str) -> Path:
        """Return a local folder with the artifact, every file checked. Raises BadArtifact."""
        ...

    def size_bytes(self) -> int:
        """Return the size of everything stored."""
        ...


@dataclass(frozen=True, slots=True)
class _File:
    sha256: str
    size: int


class FsspecArtifactStore:
    """A folder of any file system that fsspec knows.

    The manifest is written last: an artifact without one does not exist, which holds on object stores too, where
    nothing can be renamed in one step.
    """

    def __init__(self, url: str, *, cache: Path) -> None:
        """``cache`` is where copies go of what is not on a local disk."""
        self._fs, self._root = fsspec.core.url_to_fs(url)
        self._cache = cache

    def put(self, folder: Path, name: VersionName) -> StoredArtifact:
        """Store a folder. Raises BadArtifact, ArtifactExists."""
        manifest, files = _read_manifest(
            (folder / MANIFEST).read_bytes() if (folder / MANIFEST).is_file() else None, folder
        )
        _check_folder(folder, files)
        place = f"{self._root}/{name}"
        digest = hashlib.sha256(manifest).hexdigest()
        if self._fs.exists(f"{place}/{MANIFEST}"):
            stored = hashlib.sha256(self._fs.cat_file(f"{place}/{MANIFEST}")).hexdigest()
            if stored != digest:
                raise ArtifactExists(
                    f"{name} is stored already with digest {stored[:12]}, this one is {digest[:12]}"
                )
        else:
            self._fs.makedirs(place, exist_ok=True)
            for file in files:
                self._fs.put_file(str(folder / file), f"{place}/{file}")
            self._fs.pipe_file(f"{place}/{MANIFEST}", manifest)
        size = sum(file.size for file in files.values()) + len(manifest)
        return StoredArtifact(url=self._fs.unstrip_protocol(place), digest=digest, size_bytes=size)

    def fetch(self, url: str, digest: str) -> Path:
        """Return a local folder with the artifact, every file checked. Raises BadArtifact."""
        fs, place = fsspec.core.url_to_fs(url)
        if isinstance(fs, LocalFileSystem):
            return check_artifact(Path(place), digest)
        cached = self._cache / digest
        if not cached.exists():
            self._download(fs, place, cached)
        return check_artifact(cached, digest)

    def size_bytes(self) -> int:
        """Return the size of everything stored."""
        return int(self._fs.du(self._root)) if self._fs.exists(self._root) else 0

    def _download(self, fs: fsspec.AbstractFileSystem, place: str, cached: Path) -> None:
        self._cache.mkdir(parents=True, exist_ok=True)
        manifest = fs.cat_file(f"{place}/{MANIFEST}") if fs.exists(f"{place}/{MANIFEST}") else None
        content, files = _read_manifest(manifest, place)
        with tempfile.TemporaryDirectory(dir=self._cache) as temporary:
            folder = Path(temporary) / "artifact"
            folder.mkdir()
            for file in files:
                fs.get_file(f"{place}/{file}", str(folder / file))
            (folder / MANIFEST).write_bytes(content)
            shutil.move(folder, cached)


def check_artifact(folder: Path, digest: str) -> Path:
    """Check a local artifact folder against a version's digest, file by file; return it. Raises BadArtifact."""
    manifest, files = _read_manifest(
        (folder / MANIFEST).read_bytes() if (folder / MANIFEST).is_file() else None, folder
    )
    found = hashlib.sha256(manifest).hexdigest()
    if found != digest:
        raise BadArtifact(
            f"{folder} has digest {found[:12]}, its version says {digest[:12]}; restore it from a backup"
        )
    _check_folder(folder, files)
    return folder


def _read_manifest(content: bytes | None, place: Path | str) -> tuple[bytes, Mapping[str, _File]]:
    if content is None:
        raise BadArtifact(f"{place} has no {MANIFEST}: it is no artifact, or was not written to its end")
    try:
        listed = json.loads(content)["files"]
        files = {name: _File(entry["sha256"], int(entry["size"])) for name, entry in listed.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadArtifact(f"{place}/{MANIFEST} can't be read: {error!r}") from error
    for name in files:
        if not _FILE_NAME.fullmatch(name) or name == MANIFEST:
            raise BadArtifact(f"{place}/{MANIFEST} lists {name!r}, which is no plain file name")
    return content, files


def _check_folder(folder: Path, files: Mapping[str, _File]) -> None:
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    if present != set(files):
        different = ", ".join(sorted(present ^ set(files)))
        raise BadArtifact(f"{folder} does not hold exactly what its manifest lists: {different}")
    for name, file in files.items():
        path = folder / name
        if (
            path.is_symlink()
            or not path.is_file()
            or path.stat().st_size != file.size
            or _sha256(path) != file.sha256
        ):
            raise BadArtifact(f"{path} was altered: it is not what the manifest lists")


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
