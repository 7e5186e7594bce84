"""What every store of versions and promotions promises."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from registry.errors import RegistryError
from registry.history import History
from registry.names import VersionName
from registry.types import GateReport, Promotion, Version


class VersionExists(RegistryError):
    """The name is taken. A version is never renamed, replaced or reused."""


class VersionNotFound(RegistryError):
    """There is no version of this name."""


class Conflict(RegistryError):
    """Another writer was first: the log is not where it was when the transition was decided. Decide again."""


class Store(Protocol):
    """Keeps versions, the gate's reports on them and the promotion log, all append-only.

    Everything it returned or accepted survives a crash of the process.
    """

    def add_version(self, version: Version) -> None:
        """Add a version. Raises VersionExists."""
        ...

    def version(self, name: VersionName) -> Version:
        """Return a version. Raises VersionNotFound naming what there is."""
        ...

    def versions(self, model_line: str) -> Sequence[Version]:
        """Return all versions of a line, the newest last."""
        ...

    def next_number(self, model_line: str) -> int:
        """Return the number that the line's next version gets."""
        ...

    def append(self, entry: Promotion, *, expected: int) -> None:
        """Add an entry to the log, if the log still ends at position ``expected``.

        Raises Conflict where another writer was first, BrokenChain where the entry does not follow from the last
        one, and VersionNotFound.
        """
        ...

    def history(self, model_line: str) -> History:
        """Return the whole log of a line."""
        ...

    def add_gate_report(self, version: VersionName, report: GateReport, *, at: datetime) -> None:
        """Add the gate's next report on a version. Raises VersionNotFound, Conflict (that look is there already)."""
        ...

    def gate_reports(self, version: VersionName) -> Sequence[GateReport]:
        """Return the gate's reports on a version, in order of their looks."""
        ...
