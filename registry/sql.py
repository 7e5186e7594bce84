"""A store of versions, promotions and gate reports in a SQL database."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from registry.codec import (
    promotion_from_json,
    promotion_to_json,
    report_from_json,
    report_to_json,
    version_from_json,
    version_to_json,
)
from registry.history import History, check_next
from registry.names import VersionName
from registry.store import Conflict, VersionExists, VersionNotFound
from registry.tables import gate_reports, promotions, versions
from registry.types import GateReport, Promotion, Version


class SqlStore:
    """Stores each version, promotion and gate report as a JSON document. Primary keys prevent duplicates."""

    def __init__(self, engine: Engine, *, reads: Engine | None = None) -> None:
        """``reads`` is a read-only engine on the same database, if it takes fewer locks."""
        self._engine = engine
        self._reads = reads or engine
        #: Versions are immutable and their documents are large, so each is read once.
        self._cache: dict[VersionName, Version] = {}

    def add_version(self, version: Version) -> None:
        """Add a version. Raises VersionExists."""
        row = {
            "model_line": version.name.line,
            "number": version.name.number,
            "document": version_to_json(version),
        }
        try:
            with _write(self._engine, "version") as connection:
                connection.execute(insert(versions), row)
        except IntegrityError as error:
            raise VersionExists(f"{version.name} exists already; a version is never replaced") from error

    def version(self, name: VersionName) -> Version:
        """Return a version. Raises VersionNotFound."""
        with self._reads.connect() as connection:
            _require(connection, name)
            return self._load(connection, name)

    def versions(self, model_line: str) -> Sequence[Version]:
        """Return all versions of a line, newest last."""
        with self._reads.connect() as connection:
            names = [VersionName(model_line, number) for number in _numbers(connection, model_line)]
            return [self._load(connection, name) for name in names]

    def _load(self, connection: Connection, name: VersionName) -> Version:
        if name not in self._cache:
            is_version = (versions.c.model_line == name.line) & (versions.c.number == name.number)
            document = connection.scalars(select(versions.c.document).where(is_version)).one()
            self._cache[name] = version_from_json(document)
        return self._cache[name]

    def next_number(self, model_line: str) -> int:
        """Return the number of the line's next version."""
        with self._reads.connect() as connection:
            newest = connection.scalar(
                select(func.max(versions.c.number)).where(versions.c.model_line == model_line)
            )
        return 0 if newest is None else newest + 1

    def append(self, entry: Promotion, *, expected: int) -> None:
        """Append an entry if the log ends at position ``expected``. Raises Conflict, BrokenChain, VersionNotFound."""
        row = {
            "model_line": entry.model_line,
            "position": entry.position,
            "number": entry.version.number,
            "document": promotion_to_json(entry),
        }
        try:
            with _write(self._engine, "promotion") as connection:
                _require(connection, entry.version)
                log = _history(connection, entry.model_line)
                if log.position != expected:
                    raise Conflict(
                        f"the promotion log of {entry.model_line} is at position {log.position}, not {expected}: "
                        "another writer was first; check the log and try again"
                    )
                check_next(log, entry)
                connection.execute(insert(promotions), row)
        except IntegrityError as error:
            # Where reads do not wait for writers, two writers can both reach the insert; the primary key admits one.
            raise Conflict(
                f"another writer added entry {entry.position} of {entry.model_line} first; check the log and try again"
            ) from error

    def history(self, model_line: str) -> History:
        """Return the promotion log of a line."""
        with self._reads.connect() as connection:
            return _history(connection, model_line)

    def add_gate_report(self, version: VersionName, report: GateReport, *, at: datetime) -> None:
        """Add a gate report on a version. Raises VersionNotFound, Conflict."""
        row = {
            "model_line": version.line,
            "number": version.number,
            "look": report.look,
            "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
            "document": report_to_json(report),
        }
        try:
            with _write(self._engine, "gate.report") as connection:
                _require(connection, version)
                connection.execute(insert(gate_reports), row)
        except IntegrityError as error:
            raise Conflict(f"the gate report of look {report.look} at {version} exists already") from error

    def gate_reports(self, version: VersionName) -> Sequence[GateReport]:
        """Return the gate reports on a version, in order of their looks."""
        of_version = (gate_reports.c.model_line == version.line) & (gate_reports.c.number == version.number)
        with self._reads.connect() as connection:
            documents = connection.scalars(
                select(gate_reports.c.document).where(of_version).order_by(gate_reports.c.look)
            )
            return [report_from_json(document) for document in documents]


@contextmanager
def _write(engine: Engine, step: str) -> Iterator[Connection]:
    """Open a write transaction; tests inject faults at the audit events around its commit."""
    with engine.begin() as connection:
        yield connection
        sys.audit("retuned.step", step, "before")
    sys.audit("retuned.step", step, "after")


def _history(connection: Connection, model_line: str) -> History:
    query = (
        select(promotions.c.document)
        .where(promotions.c.model_line == model_line)
        .order_by(promotions.c.position)
    )
    entries = tuple(promotion_from_json(document) for document in connection.scalars(query))
    return History(model_line=model_line, entries=entries)


def _numbers(connection: Connection, model_line: str) -> Sequence[int]:
    return connection.scalars(
        select(versions.c.number).where(versions.c.model_line == model_line).order_by(versions.c.number)
    ).all()


def _require(connection: Connection, name: VersionName) -> None:
    """Raise VersionNotFound, listing the newest versions, if a version does not exist."""
    known = _numbers(connection, name.line)
    if name.number not in known:
        newest = ", ".join(f"v{number}" for number in known[-10:]) or "none"
        raise VersionNotFound(f"there is no {name}; versions of {name.line}: {newest}")
