"""A target that writes the live version to live.json in a folder, for servers that watch files."""

import json
import os
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from atomicwrites import replace_atomic

from registry.errors import RegistryError
from registry.names import VersionName
from registry.types import Version

POINTER = "live.json"


class BadPointer(RegistryError):
    """live.json can't be read. ``retuned sync`` writes it again from the promotion log, and so does the daemon."""


class DirectoryTarget:
    """Maintains live.json: {"version", "artifact", "digest", "base", "base_digest", "since"}.

    The file is replaced atomically: a reader sees the old content or the new content.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def serve(self, version: Version, artifact: Path | None, *, now: datetime) -> None:
        """Write a version to live.json, with the absolute path of its artifact folder."""
        pointer = {**_pointer(version, artifact), "since": now.isoformat()}
        self._folder.mkdir(parents=True, exist_ok=True)
        _replace(self._folder / POINTER, json.dumps(pointer, indent=2, ensure_ascii=False) + "\n")

    def serves(self, version: Version, artifact: Path | None) -> bool:
        """Return whether live.json names this version with this folder and digest.

        One that an earlier release wrote, without the base's digest, does; the next switch adds it.
        """
        try:
            found = json.loads((self._folder / POINTER).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return False
        if not isinstance(found, dict):
            return False
        wanted = _pointer(version, artifact)
        if found.keys() == wanted.keys() - {"base_digest"} | {"since"}:  # as an earlier release wrote it
            found["base_digest"] = wanted["base_digest"]
        return {name: found.get(name) for name in wanted} == wanted

    def current(self) -> VersionName | None:
        """Return the version that live.json names; None without the file. Raises BadPointer."""
        path = self._folder / POINTER
        try:
            return VersionName.parse(json.loads(path.read_text(encoding="utf-8"))["version"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, RegistryError) as error:
            raise BadPointer(f"{path} can't be read ({error!r}); `retuned sync` writes it again") from error


def _pointer(version: Version, artifact: Path | None) -> dict[str, str | None]:
    """Return what live.json says of a version, but for the time."""
    return {
        "version": str(version.name),
        "artifact": None if artifact is None else str(artifact.absolute()),
        "digest": version.digest,
        "base": version.lineage.base,
        "base_digest": version.lineage.base_digest,
    }


def _replace(path: Path, text: str) -> None:
    """Write a text file atomically and durably."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            sys.audit("retuned.step", "target.sync", "before")
            os.fsync(descriptor)
            sys.audit("retuned.step", "target.sync", "after")
        Path(temporary).chmod(0o644)
        sys.audit("retuned.step", "target.replace", "before")
        replace_atomic(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sys.audit("retuned.step", "target.replace", "after")
