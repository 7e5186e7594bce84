"""The interface of a target, which announces the live version to a server."""

from datetime import datetime
from pathlib import Path
from typing import Protocol

from registry.names import VersionName
from registry.types import Version


class Target(Protocol):
    """Announces one version at a time. Switching is atomic for readers."""

    def serve(self, version: Version, artifact: Path | None, *, now: datetime) -> None:
        """Switch to a version. ``artifact`` is its local folder; None for the bare base model."""
        ...

    def serves(self, version: Version, artifact: Path | None) -> bool:
        """Return whether what is announced is this version with this folder, to the letter."""
        ...

    def current(self) -> VersionName | None:
        """Return the announced version; None before the first."""
        ...
