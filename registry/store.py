"""The interface of a store of versions, gate reports, promotions and orders."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from registry.errors import RegistryError
from registry.history import History, Step
from registry.names import VersionName
from registry.orders import Order, OrderLog
from registry.types import GateReport, GateVerdict, Promotion, Version


class VersionExists(RegistryError):
    """A version of this name exists. Versions are never renamed or replaced, and names are never reused."""


class VersionNotFound(RegistryError):
    """No version has this name."""


class Conflict(RegistryError):
    """Another writer was first: the log has changed since the transition was decided. Read it and decide again."""


class Ancestry(NamedTuple):
    """Where a version came from."""

    name: VersionName
    run: str | None
    parent: VersionName | None


class Store(Protocol):
    """Stores versions, gate reports, the promotion log and the log of orders, all append-only.

    Every write that returned survives a crash of the process.
    """

    def add_version(self, version: Version) -> None:
        """Add a version. Raises VersionExists."""
        ...

    def version(self, name: VersionName) -> Version:
        """Return a version. Raises VersionNotFound, which lists the versions that exist."""
        ...

    def versions(self, model_line: str, *, newest: int | None = None) -> Sequence[Version]:
        """Return the versions of a line, newest last: all, or so many of the newest."""
        ...

    def ancestry(self, model_line: str) -> Sequence[Ancestry]:
        """Return where each version of a line came from, oldest first, without the rest of the versions."""
        ...

    def next_number(self, model_line: str) -> int:
        """Return the number of the line's next version."""
        ...

    def append(self, entry: Promotion, *, expected: int, orders: int | None = None) -> None:
        """Append an entry to the log if the log ends at position ``expected``.

        ``orders`` is the number of the newest order that was read before the entry was decided; None if no order could
        forbid it. An order that was added since is a conflict.

        Raises Conflict if another writer was first, BrokenChain if the entry does not follow from the last one, and
        VersionNotFound.
        """
        ...

    def newest_promotion(self, model_line: str) -> Promotion | None:
        """Return the last entry of the log, which put the live version there; None for an empty log."""
        ...

    def promotions_of(self, name: VersionName) -> Sequence[Promotion]:
        """Return the entries that put a version live, oldest first."""
        ...

    def promotions_at(self, model_line: str, positions: Collection[int]) -> Sequence[Promotion]:
        """Return the entries at these positions, those that there are, oldest first."""
        ...

    def promotions_between(self, model_line: str, first: int, last: int) -> Sequence[Promotion]:
        """Return the entries from one position to another, both included, oldest first."""
        ...

    def steps(self, model_line: str) -> Sequence[Step]:
        """Return the promotion log, oldest first; of entries that are no rollbacks only what ``LogStep`` has."""
        ...

    def add_order(self, order: Order) -> None:
        """Add an order, whose number must be the next. Raises Conflict if another writer was first."""
        ...

    def orders(self, model_line: str) -> OrderLog:
        """Return the log of orders of a line."""
        ...

    def history(self, model_line: str) -> History:
        """Return the promotion log of a line."""
        ...

    def verify(self, model_line: str) -> None:
        """Check the whole promotion log of a line; see ``history.verify``. Raises BrokenChain, and BadDocument."""
        ...

    def add_gate_report(self, version: VersionName, report: GateReport, *, at: datetime) -> None:
        """Add a gate report on a version. Raises VersionNotFound, and Conflict if its look has a report already."""
        ...

    def gate_reports(self, version: VersionName) -> Sequence[GateReport]:
        """Return the gate reports on a version, in order of their looks."""
        ...

    def gate_verdicts(self, names: Collection[VersionName]) -> Mapping[VersionName, GateVerdict]:
        """Return the verdict of the last gate report on each version that has one."""
        ...
