"""What a target promises: a place where the live version is served."""

from datetime import datetime
from pathlib import Path
from typing import Protocol

from registry.names import VersionName
from registry.types import Version


class Target(Protocol):
    """Serves one version at a time. Switching is one step: no reader ever sees half of it."""

    def serve(self, version: Version, artifact: Path | None, *, now: datetime) -> None:
        """Switch to a version; ``artifact`` is its local folder, None for the bare base model."""
        ...

    def current(self) -> VersionName | None:
        """Return the version that is served; None before the first."""
        ...
