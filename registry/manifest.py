"""An artifact's manifest: which files it has, and how each is checked."""

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
    """The artifact is not what its version says it is. Restore it from a backup, or train again."""


class NoArtifact(BadArtifact):
    """There is no manifest: nothing was stored here, or storing was not finished."""


class BadManifest(BadArtifact):
    """The manifest can't be read, or lists what no artifact may hold."""


class WrongDigest(BadArtifact):
    """The manifest is another one than the version names."""


class MissingFile(BadArtifact):
    """A file that the manifest lists is not there."""


class UnlistedFile(BadArtifact):
    """There is something that the manifest doesn't list."""


class AlteredFile(BadArtifact):
    """A file's content is not what the manifest says."""


@dataclass(frozen=True, slots=True)
class FileFact:
    """What a file must be."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}\Z")]
    size: Annotated[int, Field(ge=0)]


@with_config(ConfigDict(strict=True, extra="forbid", regex_engine="python-re"))
@dataclass(frozen=True, kw_only=True, slots=True)
class _Listing:
    """The JSON of a manifest."""

    format: Annotated[int, Field(ge=1, le=1)]
    files: Annotated[dict[_FileName, FileFact], Field(min_length=1)]


_LISTING = TypeAdapter(_Listing)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """Every file of an artifact. Its own sha256 stands for all of them."""

    content: bytes  # of manifest.json, as it is
    files: Mapping[str, FileFact]

    @property
    def digest(self) -> str:
        """The artifact's digest."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def size_bytes(self) -> int:
        """Size of the whole artifact, the manifest included."""
        return len(self.content) + sum(fact.size for fact in self.files.values())

    def check(self, names: Iterable[str], open_file: Callable[[str], BinaryIO], *, where: str) -> None:
        """Check what there is, by name, against the list, and every file's content.

        Raises MissingFile, UnlistedFile, AlteredFile, naming the first that is wrong.
        """
        present = set(names) - {MANIFEST}
        if missing := sorted(self.files.keys() - present):
            raise MissingFile(
                f"{where} lacks {missing[0]}, which its manifest lists; restore it from a backup"
            )
        if unlisted := sorted(present - self.files.keys()):
            raise UnlistedFile(f"{where} holds {unlisted[0]}, which its manifest doesn't list; remove it")
        for name, fact in sorted(self.files.items()):
            with open_file(name) as opened:
                size, sha256 = _measure(opened)
            if (size, sha256) != (fact.size, fact.sha256):
                raise AlteredFile(f"{where}/{name} is not what the manifest says; restore it from a backup")


def parse(content: bytes, *, where: str) -> Manifest:
    """Read a manifest. Raises BadManifest that names what is wrong with it."""
    try:
        listing = _LISTING.validate_json(content)
    except ValidationError as error:
        raise BadManifest(f"{where}: {MANIFEST} can't be used: {explain(error, 'manifest')}") from error
    return Manifest(content=content, files=listing.files)


def read_folder(folder: Path) -> Manifest:
    """Read the manifest of a local folder and check the folder against it. Raises BadArtifact's kinds."""
    path = folder / MANIFEST
    if not path.is_file():
        raise NoArtifact(f"{folder} has no {MANIFEST}: it is no artifact, or was not written to its end")
    manifest = parse(path.read_bytes(), where=str(folder))
    for entry in folder.iterdir():
        if entry.is_symlink() or not entry.is_file():
            raise UnlistedFile(f"{entry} is not a plain file; an artifact holds nothing else")
    names = (entry.name for entry in folder.iterdir())
    manifest.check(names, lambda name: (folder / name).open("rb"), where=str(folder))
    return manifest


def _measure(opened: BinaryIO) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while chunk := opened.read(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()
