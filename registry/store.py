"""The interface of a store of versions, gate reports and promotions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from registry.errors import RegistryError
from registry.history import History
from registry.names import VersionName
from registry.types import GateReport, Promotion, Version


class VersionExists(RegistryError):
    """A version of this name exists. Versions are never renamed or replaced, and names are never reused."""


class VersionNotFound(RegistryError):
    """No version has this name."""


class Conflict(RegistryError):
    """Another writer was first: the log has changed since the transition was decided. Read it and decide again."""


class Store(Protocol):
    """Stores versions, gate reports and the promotion log, all append-only.

    Every write that returned survives a crash of the process.
    """

    def add_version(self, version: Version) -> None:
        """Add a version. Raises VersionExists."""
        ...

    def version(self, name: VersionName) -> Version:
        """Return a version. Raises VersionNotFound, which lists the versions that exist."""
        ...

    def versions(self, model_line: str) -> Sequence[Version]:
        """Return all versions of a line, newest last."""
        ...

    def next_number(self, model_line: str) -> int:
        """Return the number of the line's next version."""
        ...

    def append(self, entry: Promotion, *, expected: int) -> None:
        """Append an entry to the log if the log ends at position ``expected``.

        Raises Conflict if another writer was first, BrokenChain if the entry does not follow from the last one, and
        VersionNotFound.
        """
        ...

    def history(self, model_line: str) -> History:
        """Return the promotion log of a line."""
        ...

    def add_gate_report(self, version: VersionName, report: GateReport, *, at: datetime) -> None:
        """Add a gate report on a version. Raises VersionNotFound, and Conflict if its look has a report already."""
        ...

    def gate_reports(self, version: VersionName) -> Sequence[GateReport]:
        """Return the gate reports on a version, in order of their looks."""
        ...
