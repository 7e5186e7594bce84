"""The manifest of an artifact: its files with their sizes and SHA-256 digests."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from registry.errors import RegistryError
from registry.json_types import explain

MANIFEST = "manifest.json"
#: A plain file name of the artifact, never a path.
_FileName = Annotated[
    str, Field(pattern=rf"^(?!{re.escape(MANIFEST)}\Z)[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}\Z")
]


class BadArtifact(RegistryError):
    """The artifact does not match its version. Restore it from a backup, or train again."""


class NoArtifact(BadArtifact):
    """There is no manifest: nothing was stored here, or the upload was interrupted."""


class BadManifest(BadArtifact):
    """The manifest can't be parsed, or lists a file that an artifact must not have."""


class WrongDigest(BadArtifact):
    """The manifest's digest differs from the one that the version names."""


class MissingFile(BadArtifact):
    """A file that the manifest lists is missing."""


class UnlistedFile(BadArtifact):
    """The artifact's folder has an entry that the manifest does not list."""


class AlteredFile(BadArtifact):
    """A file's size or SHA-256 differs from the manifest."""


@dataclass(frozen=True, slots=True)
class FileFact:
    """The expected SHA-256 and size (in bytes) of a file."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}\Z")]
    size: Annotated[int, Field(ge=0)]


@with_config(ConfigDict(strict=True, extra="forbid", regex_engine="python-re"))
@dataclass(frozen=True, kw_only=True, slots=True)
class _Listing:
    """The JSON document of a manifest."""

    format: Annotated[int, Field(ge=1, le=1)]
    files: Annotated[dict[_FileName, FileFact], Field(min_length=1)]


_LISTING = TypeAdapter(_Listing)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The list of an artifact's files. Its SHA-256 identifies the artifact."""

    content: bytes  # of manifest.json
    files: Mapping[str, FileFact]

    @property
    def digest(self) -> str:
        """The artifact's digest: the SHA-256 of manifest.json, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def size_bytes(self) -> int:
        """The size of the artifact in bytes, including the manifest."""
        return len(self.content) + sum(fact.size for fact in self.files.values())

    def check(self, names: Iterable[str], open_file: Callable[[str], BinaryIO], *, where: str) -> None:
        """Check the names of the files present, then the size and SHA-256 of each.

        ``where`` names the artifact in errors. Raises MissingFile, UnlistedFile, AlteredFile for the first mismatch.
        """
        present = set(names) - {MANIFEST}
        if missing := sorted(self.files.keys() - present):
            raise MissingFile(
                f"{where} lacks {missing[0]}, which its manifest lists; restore it from a backup"
            )
        if unlisted := sorted(present - self.files.keys()):
            raise UnlistedFile(f"{where} holds {unlisted[0]}, which its manifest doesn't list; remove it")
        for name, fact in sorted(self.files.items()):
            with open_file(name) as file:
                size, sha256 = _measure(file)
            if (size, sha256) != (fact.size, fact.sha256):
                raise AlteredFile(f"{where}/{name} differs from its manifest; restore it from a backup")


def parse(content: bytes, *, where: str) -> Manifest:
    """Parse a manifest. Raises BadManifest naming every malformed field."""
    try:
        listing = _LISTING.validate_json(content)
    except ValidationError as error:
        raise BadManifest(f"{where}: {MANIFEST} can't be used: {explain(error, 'manifest')}") from error
    return Manifest(content=content, files=listing.files)


def read_folder(folder: Path) -> Manifest:
    """Read the manifest of a local folder and check the folder against it. Raises BadArtifact."""
    path = folder / MANIFEST
    if not path.is_file():
        raise NoArtifact(f"{folder} has no {MANIFEST}: it is no artifact, or writing it was interrupted")
    manifest = parse(path.read_bytes(), where=str(folder))
    for entry in folder.iterdir():
        if entry.is_symlink() or not entry.is_file():
            raise UnlistedFile(f"{entry} is not a regular file; an artifact may hold regular files only")
    names = (entry.name for entry in folder.iterdir())
    manifest.check(names, lambda name: (folder / name).open("rb"), where=str(folder))
    return manifest


def _measure(file: BinaryIO) -> tuple[int, str]:
    """Return the size in bytes and the SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()
