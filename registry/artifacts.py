"""Stores immutable artifacts on any file system of fsspec, and checks them whenever they are read."""

import os
import shutil
import sys
import tempfile
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from atomicwrites import replace_atomic

from registry.artifact_urls import is_absolute, is_local, path_inside
from registry.file_systems import (
    OpenedFolder,
    client_errors_as_os_errors,
    local_path,
    open_folder,
    write_whole,
)
from registry.manifest import MANIFEST, BadArtifact, Manifest, NoArtifact, WrongDigest, parse, read_folder
from registry.names import VersionName

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["ArtifactStore", "BadArtifact", "FsspecArtifactStore", "StoredArtifact"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredArtifact:
    """The location, digest and size of a stored artifact."""

    url: str  # relative to the store: the store can move
    digest: str  # SHA-256 of the manifest, which lists the SHA-256 of every file
    size_bytes: int


class ArtifactStore(Protocol):
    """Stores immutable artifact folders.

    Every method may raise OSError if the store can't be reached; the same call may succeed later.
    """

    def put(self, folder: Path, name: VersionName) -> StoredArtifact:
        """Check a version's artifact folder and store it. Raises BadArtifact.

        A stored artifact is never overwritten. Storing the same folder again changes nothing; a different folder
        under the same name is stored beside the first. An upload that was interrupted leaves no artifact.
        """
        ...

    def fetch(self, url: str, digest: str) -> Path:
        """Check every file and return a local folder with the artifact. Callers must not write to it.

        An absolute URL, as earlier releases stored them, is also found where its store has moved to.
        Raises BadArtifact.
        """
        ...

    def local_folder(self, url: str, digest: str) -> Path:
        """Return the folder that ``fetch`` returns, without checking that the artifact is there."""
        ...

    def has(self, url: str, digest: str) -> bool:
        """Return whether there is an artifact, without checking its files."""
        ...

    def digests(self, name: VersionName) -> frozenset[str]:
        """Return the digests of the artifacts that are stored under a version's name."""
        ...

    def read_note(self, name: str) -> bytes | None:
        """Return a small file that lies beside the artifacts; None if there is none."""
        ...

    def write_note(self, name: str, content: bytes) -> None:
        """Write a small file beside the artifacts, atomically."""
        ...

    def verify(self, url: str, digest: str) -> None:
        """Check every file in the store, without a local copy. Raises BadArtifact."""
        ...

    def size_bytes(self) -> int:
        """Return the total size of the store in bytes."""
        ...


class FsspecArtifactStore:
    """Stores artifacts as ``<url>/<version>/<digest>/<files>`` on a file system of fsspec.

    The manifest is written last, in one atomic step, and an artifact exists only if its manifest does. This works on
    a local disk and on object stores, which can't rename a folder atomically. Because the path contains the digest,
    two writers of one name never touch the same files, and an interrupted upload does not block the next one.
    """

    def __init__(self, url: str, *, cache: Path) -> None:
        """``cache`` is a local folder for copies of artifacts from remote file systems."""
        self._url = url
        self._cache = cache
        #: The store's folder on this machine's disk, which is known without opening a file system.
        self._folder = local_path(url)

    @cached_property
    def _store(self) -> OpenedFolder:
        return open_folder(self._url)

    @property
    def _fs(self) -> "AbstractFileSystem":
        return self._store.fs

    @property
    def _root(self) -> str:
        return self._store.path

    def put(self, folder: Path, name: VersionName) -> StoredArtifact:
        """Store a version's artifact folder. Raises BadArtifact."""
        return self.put_in(folder, str(name))

    def put_in(self, folder: Path, path: str) -> StoredArtifact:
        """Store an artifact that is no version's, in a folder of the store. Raises BadArtifact."""
        manifest = read_folder(folder)
        place = f"{self._root}/{path}/{manifest.digest}"
        if not self._fs.exists(f"{place}/{MANIFEST}"):
            self._upload(folder, manifest, place)
        return StoredArtifact(
            url=f"{path}/{manifest.digest}", digest=manifest.digest, size_bytes=manifest.size_bytes
        )

    def fetch(self, url: str, digest: str) -> Path:
        """Check every file and return a local folder with the artifact. Raises BadArtifact."""
        folder = self.local_folder(url, digest)
        cached = self._cache / digest
        if folder != cached:
            return _checked(folder, digest)
        with suppress(BadArtifact):  # not cached yet, or damaged: download it
            return _checked(cached, digest)
        return self._download(self._locate(url, digest), digest, cached)

    def local_folder(self, url: str, digest: str) -> Path:
        """Return the folder that ``fetch`` returns, without checking that the artifact is there."""
        if self._folder is not None and not is_absolute(url):
            return self._folder / url
        if self._store.local or is_local(url):
            found = self._locate(url, digest)
            if found.local:
                return Path(found.path)
        return self._cache / digest

    def has(self, url: str, digest: str) -> bool:
        """Return whether there is an artifact, without checking its files."""
        found = self._locate(url, digest)
        return bool(found.fs.exists(f"{found.path}/{MANIFEST}"))

    def digests(self, name: VersionName) -> frozenset[str]:
        """Return the digests of the artifacts that are stored under a version's name."""
        try:
            found = self._fs.ls(f"{self._root}/{name}", detail=False)
        except FileNotFoundError:
            return frozenset()
        folders = {str(path).rstrip("/").rsplit("/", 1)[-1] for path in found}
        return frozenset(
            folder for folder in folders if self._fs.exists(f"{self._root}/{name}/{folder}/{MANIFEST}")
        )

    def read_note(self, name: str) -> bytes | None:
        """Return a small file that lies beside the artifacts; None if there is none."""
        try:
            return bytes(self._fs.cat_file(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None

    def write_note(self, name: str, content: bytes) -> None:
        """Write a small file beside the artifacts, atomically."""
        write_whole(self._store, name, content)

    def verify(self, url: str, digest: str) -> None:
        """Check every file in the store, without a local copy. Raises BadArtifact."""
        fs, place, _ = found = self._locate(url, digest)
        manifest = _manifest(found, digest)
        names = [str(path).rstrip("/").rsplit("/", 1)[-1] for path in fs.ls(place, detail=False)]
        with client_errors_as_os_errors():
            manifest.check(
                names, lambda name: cast("BinaryIO", fs.open(f"{place}/{name}", "rb")), where=place
            )

    def size_bytes(self) -> int:
        """Return the total size of the store in bytes."""
        return int(self._fs.du(self._root)) if self._fs.exists(self._root) else 0

    def _locate(self, url: str, digest: str) -> OpenedFolder:
        """Return where an artifact is: in this store, or where an absolute URL says if this store does not have it."""
        inside = path_inside(url, digest)
        if inside is not None:
            place = f"{self._root}/{inside}"
            if not is_absolute(url) or self._fs.exists(f"{place}/{MANIFEST}"):
                return self._store._replace(path=place)
        return open_folder(url)

    def _upload(self, folder: Path, manifest: Manifest, place: str) -> None:
        self._fs.makedirs(place, exist_ok=True)
        sys.audit("retuned.step", "artifact.upload", "before")
        for name in manifest.files:
            self._fs.put_file(str(folder / name), f"{place}/{name}")
        sys.audit("retuned.step", "artifact.upload", "after")
        # The temporary file is outside the artifact's folder: after a crash it would be an unlisted file there.
        temporary = f"{place}.{uuid.uuid4().hex}"
        self._fs.pipe_file(temporary, manifest.content)
        if self._store.local:
            sys.audit("retuned.step", "artifact.sync", "before")
            _sync(*(Path(place) / name for name in manifest.files), Path(temporary), Path(place))
            sys.audit("retuned.step", "artifact.sync", "after")
        sys.audit("retuned.step", "artifact.manifest", "before")
        if self._store.local:
            replace_atomic(temporary, f"{place}/{MANIFEST}")
            _sync(Path(place).parent)
        else:
            self._fs.mv(temporary, f"{place}/{MANIFEST}")
        sys.audit("retuned.step", "artifact.manifest", "after")

    def _download(self, found: OpenedFolder, digest: str, cached: Path) -> Path:
        fs, place, _ = found
        manifest = _manifest(found, digest)
        self._cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._cache) as temporary:
            folder = Path(temporary) / digest
            folder.mkdir()
            for name in manifest.files:
                with suppress(FileNotFoundError):  # _checked reports a missing file by name
                    fs.get_file(f"{place}/{name}", str(folder / name))
            (folder / MANIFEST).write_bytes(manifest.content)
            _checked(folder, digest)
            try:
                folder.rename(cached)
            except OSError:  # the folder exists: another process's copy, or a damaged one
                with suppress(BadArtifact):
                    return _checked(cached, digest)
                shutil.rmtree(cached)
                folder.rename(cached)
        return cached


def _checked(folder: Path, digest: str) -> Path:
    actual = read_folder(folder).digest
    if actual != digest:
        raise WrongDigest(
            f"{folder} has digest {actual[:12]}, its version names {digest[:12]}; restore a backup"
        )
    return folder


def _manifest(found: OpenedFolder, digest: str) -> Manifest:
    fs, place, _ = found
    try:
        content = bytes(fs.cat_file(f"{place}/{MANIFEST}"))
    except FileNotFoundError as error:
        raise NoArtifact(
            f"{place} has no {MANIFEST}: nothing was stored there, or the upload was interrupted"
        ) from error
    manifest = parse(content, where=place)
    if manifest.digest != digest:
        raise WrongDigest(
            f"{place} has digest {manifest.digest[:12]}, its version names {digest[:12]}; restore a backup"
        )
    return manifest


def _sync(*paths: Path) -> None:
    """Flush files and folders to disk, so that they survive a power failure."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
