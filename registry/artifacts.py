"""Keeps artifacts where fsspec reaches: written once, whole or not at all, checked whenever they are read."""

import os
import shutil
import sys
import tempfile
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import fsspec
from atomicwrites import replace_atomic
from fsspec.implementations.local import LocalFileSystem

from registry.manifest import MANIFEST, BadArtifact, Manifest, NoArtifact, WrongDigest, parse, read_folder
from registry.names import VersionName

__all__ = ["ArtifactStore", "BadArtifact", "FsspecArtifactStore", "StoredArtifact"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredArtifact:
    """Where an artifact is and what it is."""

    url: str
    digest: str  # sha256 of its manifest, which holds the sha256 of every file
    size_bytes: int


class ArtifactStore(Protocol):
    """Keeps immutable artifact folders.

    Every method may raise OSError where the store can't be reached; the same call may succeed later.
    """

    def put(self, folder: Path, name: VersionName) -> StoredArtifact:
        """Store a version's artifact folder, after checking it. Raises BadArtifact.

        What is stored is never written over: the same folder again changes nothing, another one under the same name
        gets a place of its own. An artifact that was not stored to its end does not exist.
        """
        ...

    def fetch(self, url: str, digest: str) -> Path:
        """Return a local folder with the artifact, every file checked. It must not be written to.

        Raises BadArtifact.
        """
        ...

    def verify(self, url: str, digest: str) -> None:
        """Check every file where it is stored. Raises BadArtifact."""
        ...

    def size_bytes(self) -> int:
        """Return the size of everything stored."""
        ...


class FsspecArtifactStore:
    """A folder of any file system that fsspec knows: ``<url>/<version>/<digest>/<files>``.

    The manifest is put in its place last, in one step: an artifact without one does not exist. That holds on a local
    disk and on object stores, where a folder can't be renamed in one step. The digest in the path keeps two writers
    of one name apart, and a run that died half-way out of the next one's way.
    """

    def __init__(self, url: str, *, cache: Path) -> None:
        """``cache`` is where copies go of what is not on a local disk."""
        # Listings are never cached: other processes write here, too.
        self._fs, self._root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        self._cache = cache

    def put(self, folder: Path, name: VersionName) -> StoredArtifact:
        """Store a version's artifact folder. Raises BadArtifact."""
        manifest = read_folder(folder)
        place = f"{self._root}/{name}/{manifest.digest}"
        if not self._fs.exists(f"{place}/{MANIFEST}"):
            self._upload(folder, manifest, place)
        url = self._fs.unstrip_protocol(place)
        return StoredArtifact(url=url, digest=manifest.digest, size_bytes=manifest.size_bytes)

    def fetch(self, url: str, digest: str) -> Path:
        """Return a local folder with the artifact, every file checked. Raises BadArtifact."""
        fs, place = fsspec.core.url_to_fs(url, use_listings_cache=False)
        if isinstance(fs, LocalFileSystem):
            return _checked(Path(place), digest)
        cached = self._cache / digest
        with suppress(BadArtifact):  # not there yet, or damaged: the store has the last word
            return _checked(cached, digest)
        return self._download(fs, place, digest, cached)

    def verify(self, url: str, digest: str) -> None:
        """Check every file where it is stored. Raises BadArtifact."""
        fs, place = fsspec.core.url_to_fs(url, use_listings_cache=False)
        manifest = _manifest(fs, place, digest)
        names = [str(path).rstrip("/").rsplit("/", 1)[-1] for path in fs.ls(place, detail=False)]
        manifest.check(names, lambda name: cast("BinaryIO", fs.open(f"{place}/{name}", "rb")), where=place)

    def size_bytes(self) -> int:
        """Return the size of everything stored."""
        return int(self._fs.du(self._root)) if self._fs.exists(self._root) else 0

    def _upload(self, folder: Path, manifest: Manifest, place: str) -> None:
        self._fs.makedirs(place, exist_ok=True)
        sys.audit("retuned.step", "artifact.upload", "before")
        for name in manifest.files:
            self._fs.put_file(str(folder / name), f"{place}/{name}")
        sys.audit("retuned.step", "artifact.upload", "after")
        # Beside the place, not in it: whatever a crash leaves behind must not be taken for a file of the artifact.
        temporary = f"{place}.{uuid.uuid4().hex}"
        self._fs.pipe_file(temporary, manifest.content)
        if isinstance(self._fs, LocalFileSystem):
            sys.audit("retuned.step", "artifact.sync", "before")
            _sync(*(Path(place) / name for name in manifest.files), Path(temporary), Path(place))
            sys.audit("retuned.step", "artifact.sync", "after")
        sys.audit("retuned.step", "artifact.manifest", "before")
        if isinstance(self._fs, LocalFileSystem):
            replace_atomic(temporary, f"{place}/{MANIFEST}")
            _sync(Path(place).parent)
        else:
            self._fs.mv(temporary, f"{place}/{MANIFEST}")
        sys.audit("retuned.step", "artifact.manifest", "after")

    def _download(self, fs: fsspec.AbstractFileSystem, place: str, digest: str, cached: Path) -> Path:
        manifest = _manifest(fs, place, digest)
        self._cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._cache) as temporary:
            folder = Path(temporary) / digest
            folder.mkdir()
            for name in manifest.files:
                with suppress(FileNotFoundError):  # the check below names it
                    fs.get_file(f"{place}/{name}", str(folder / name))
            (folder / MANIFEST).write_bytes(manifest.content)
            _checked(folder, digest)
            try:
                folder.rename(cached)
            except OSError:  # there is one: another process's, or a damaged one
                with suppress(BadArtifact):
                    return _checked(cached, digest)
                shutil.rmtree(cached)
                folder.rename(cached)
        return cached


def _checked(folder: Path, digest: str) -> Path:
    found = read_folder(folder).digest
    if found != digest:
        raise WrongDigest(
            f"{folder} has digest {found[:12]}, its version names {digest[:12]}; restore a backup"
        )
    return folder


def _manifest(fs: fsspec.AbstractFileSystem, place: str, digest: str) -> Manifest:
    try:
        content = bytes(fs.cat_file(f"{place}/{MANIFEST}"))
    except FileNotFoundError as error:
        raise NoArtifact(f"{place} has no {MANIFEST}: nothing was stored there, or not to its end") from error
    manifest = parse(content, where=place)
    if manifest.digest != digest:
        raise WrongDigest(
            f"{place} has digest {manifest.digest[:12]}, its version names {digest[:12]}; restore a backup"
        )
    return manifest


def _sync(*paths: Path) -> None:
    """See to it that files and folders survive a power cut."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
