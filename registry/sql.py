"""A store of versions, promotions, gate reports and orders in a SQL database."""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Select, Text, cast, func, insert, select
from sqlalchemy.exc import IntegrityError

from registry.codec import (
    promotion_from_text,
    promotion_to_json,
    report_from_json,
    report_to_json,
    version_from_json,
    version_to_json,
)
from registry.history import History, LogStep, Step, check_next
from registry.log_documents import verify_documents
from registry.names import VersionName
from registry.orders import Order, OrderLog
from registry.sql_logs import step_rows
from registry.sql_orders import insert_order, lock_line, newest_order, orders_after
from registry.store import Ancestry, Conflict, VersionExists, VersionNotFound
from registry.tables import gate_reports, promotions, versions
from registry.types import GateReport, GateVerdict, Promotion, Version

_T = TypeVar("_T")
#: SQLite allows 32,766 values in a statement; PostgreSQL more.
_NUMBERS_AT_ONCE = 10_000
_NEWEST_NAMED = 10  # versions, in the error about one that there is not


class SqlStore:
    """Stores each version, promotion, gate report and order as a JSON document. Primary keys prevent duplicates."""

    def __init__(self, engine: Engine, *, reads: Engine | None = None) -> None:
        """``reads`` is a read-only engine on the same database, if it takes fewer locks."""
        self._engine = engine
        self._reads = reads or engine
        #: Versions are immutable and their documents are large, so each is read once.
        self._cache: dict[VersionName, Version] = {}
        #: A log only grows, so only its new entries are read again.
        self._histories: dict[str, _ReadHistory] = {}
        self._steps: dict[str, tuple[Step, ...]] = {}
        #: The log of orders only grows, so each entry is read once.
        self._orders: dict[str, OrderLog] = {}

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

    def versions(self, model_line: str, *, newest: int | None = None) -> Sequence[Version]:
        """Return the versions of a line, newest last: all, or so many of the newest."""
        query = (
            select(versions.c.number)
            .where(versions.c.model_line == model_line)
            .order_by(versions.c.number.desc())
            .limit(newest)
        )
        with self._reads.connect() as connection:
            names = [VersionName(model_line, number) for number in connection.scalars(query)]
            self._load_all(connection, [name for name in names if name not in self._cache])
        return [self._cache[name] for name in reversed(names)]

    def ancestry(self, model_line: str) -> Sequence[Ancestry]:
        """Return where each version of a line came from, oldest first, without the rest of the versions."""
        document = versions.c.document
        query = (
            select(versions.c.number, document["run"].as_string(), document["lineage", "parent"].as_string())
            .where(versions.c.model_line == model_line)
            .order_by(versions.c.number)
        )
        with self._reads.connect() as connection:
            return [
                Ancestry(VersionName(model_line, number), run, parent and VersionName.parse(parent))
                for number, run, parent in connection.execute(query)
            ]

    def _load(self, connection: Connection, name: VersionName) -> Version:
        if name not in self._cache:
            self._load_all(connection, [name])
        return self._cache[name]

    def _load_all(self, connection: Connection, names: Sequence[VersionName]) -> None:
        """Read versions of one line that are not known yet."""
        for some in _batched(names, _NUMBERS_AT_ONCE):
            is_one = (versions.c.model_line == some[0].line) & versions.c.number.in_(
                [name.number for name in some]
            )
            for document in connection.scalars(select(versions.c.document).where(is_one)):
                version = version_from_json(document)
                self._cache[version.name] = version

    def next_number(self, model_line: str) -> int:
        """Return the number of the line's next version."""
        with self._reads.connect() as connection:
            newest = connection.scalar(
                select(func.max(versions.c.number)).where(versions.c.model_line == model_line)
            )
        return 0 if newest is None else newest + 1

    def append(self, entry: Promotion, *, expected: int, orders: int | None = None) -> None:
        """Append an entry if the logs end at ``expected`` and ``orders``; see ``Store.append``."""
        row = {
            "model_line": entry.model_line,
            "position": entry.position,
            "number": entry.version.number,
            "document": promotion_to_json(entry),
        }
        try:
            with _write(self._engine, "promotion") as connection:
                _require(connection, entry.version)
                if orders is not None:
                    _require_no_newer_order(connection, entry.model_line, orders)
                log = self._read_history(connection, entry.model_line)
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
            return self._read_history(connection, model_line)

    def verify(self, model_line: str) -> None:
        """Check the whole promotion log of a line. Raises BrokenChain, and BadDocument."""
        with self._reads.connect() as connection:
            texts = _texts_from(connection, model_line, 1)
        verify_documents(model_line, texts)

    def steps(self, model_line: str) -> Sequence[Step]:
        """Return the promotion log, oldest first; of entries that are no rollbacks only what ``LogStep`` has."""
        known = self._steps.get(model_line, ())
        with self._reads.connect() as connection:
            rows = step_rows(connection, model_line, after=known[-1].position if known else 0)
        rollbacks = [row.position for row in rows if row.rollback]
        whole = {
            entry.position: entry
            for some in _batched(rollbacks, _NUMBERS_AT_ONCE)
            for entry in self.promotions_at(model_line, some)
        }
        newer = (whole.get(row.position) or LogStep(row.position, row.version, row.automatic) for row in rows)
        self._steps[model_line] = (*known, *newer)
        return self._steps[model_line]

    def newest_promotion(self, model_line: str) -> Promotion | None:
        """Return the last entry of the log; None for an empty log."""
        with self._reads.connect() as connection:
            text = connection.scalar(_entry_texts(model_line).order_by(promotions.c.position.desc()).limit(1))
        return None if text is None else promotion_from_text(text)

    def promotions_of(self, name: VersionName) -> Sequence[Promotion]:
        """Return the entries that put a version live, oldest first."""
        return self._promotions(name.line, promotions.c.number == name.number)

    def promotions_at(self, model_line: str, positions: Collection[int]) -> Sequence[Promotion]:
        """Return the entries at these positions, those that there are, oldest first."""
        return self._promotions(model_line, promotions.c.position.in_(positions))

    def promotions_between(self, model_line: str, first: int, last: int) -> Sequence[Promotion]:
        """Return the entries from one position to another, both included, oldest first."""
        return self._promotions(model_line, promotions.c.position.between(first, last))

    def _promotions(self, model_line: str, where: ColumnElement[bool]) -> Sequence[Promotion]:
        query = _entry_texts(model_line).where(where).order_by(promotions.c.position)
        with self._reads.connect() as connection:
            return [promotion_from_text(text) for text in connection.scalars(query)]

    def _read_history(self, connection: Connection, model_line: str) -> History:
        """Return the log. Reads the last known entry and what follows it, or all if that entry is another one now."""
        known = self._histories.get(model_line)
        if known is not None:
            newer = _texts_from(connection, model_line, known.history.position)
            if newer and newer[0] == known.last_text:
                return self._keep(model_line, known.history.entries, newer[1:], known.last_text)
        return self._keep(model_line, (), _texts_from(connection, model_line, 1), "")

    def _keep(
        self, model_line: str, entries: tuple[Promotion, ...], newer: Sequence[str], last_text: str
    ) -> History:
        if newer or not entries:
            history = History(
                model_line=model_line, entries=(*entries, *(promotion_from_text(text) for text in newer))
            )
            self._histories[model_line] = _ReadHistory(history, newer[-1] if newer else last_text)
        return self._histories[model_line].history

    def add_order(self, order: Order) -> None:
        """Add an order, whose number must be the next. Raises Conflict."""
        try:
            with _write(self._engine, "order") as connection:
                lock_line(connection, order.model_line)
                if newest_order(connection, order.model_line) != order.number - 1:
                    raise Conflict(f"another order on {order.model_line} was first; check it and try again")
                insert_order(connection, order)
        except IntegrityError as error:
            raise Conflict(
                f"another order on {order.model_line} was first; check it and try again"
            ) from error

    def orders(self, model_line: str) -> OrderLog:
        """Return the log of orders of a line."""
        known = self._orders.get(model_line, OrderLog(model_line=model_line))
        with self._reads.connect() as connection:
            new = orders_after(connection, model_line, known.number)
        if new:
            known = OrderLog(model_line=model_line, orders=(*known.orders, *new))
        self._orders[model_line] = known
        return known

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

    def gate_verdicts(self, names: Collection[VersionName]) -> Mapping[VersionName, GateVerdict]:
        """Return the verdict of the last gate report on each version that has one."""
        verdicts: dict[VersionName, GateVerdict] = {}
        with self._reads.connect() as connection:
            for some in _batched(sorted(names), _NUMBERS_AT_ONCE):
                query = (
                    select(gate_reports.c.number, gate_reports.c.document["verdict"].as_string())
                    .where(gate_reports.c.model_line == some[0].line)
                    .where(gate_reports.c.number.in_([name.number for name in some]))
                    .order_by(gate_reports.c.look)
                )
                verdicts |= {
                    VersionName(some[0].line, number): GateVerdict(verdict)
                    for number, verdict in connection.execute(query)
                }
        return verdicts

    def gate_reports(self, version: VersionName) -> Sequence[GateReport]:
        """Return the gate reports on a version, in order of their looks."""
        of_version = (gate_reports.c.model_line == version.line) & (gate_reports.c.number == version.number)
        with self._reads.connect() as connection:
            documents = connection.scalars(
                select(gate_reports.c.document).where(of_version).order_by(gate_reports.c.look)
            )
            return [report_from_json(document) for document in documents]


class _ReadHistory(NamedTuple):
    """A log as it was read last, with the text of its last entry."""

    history: History
    last_text: str


@contextmanager
def _write(engine: Engine, step: str) -> Iterator[Connection]:
    """Open a write transaction; tests inject faults at the audit events around its commit."""
    with engine.begin() as connection:
        yield connection
        sys.audit("retuned.step", step, "before")
    sys.audit("retuned.step", step, "after")


def _entry_texts(model_line: str) -> Select[str]:
    """Select the entries of a log as texts: reading them as JSON first would take most of the time."""
    return select(cast(promotions.c.document, Text)).where(promotions.c.model_line == model_line)


def _texts_from(connection: Connection, model_line: str, position: int) -> Sequence[str]:
    query = _entry_texts(model_line).where(promotions.c.position >= position)
    return connection.scalars(query.order_by(promotions.c.position)).all()


def _require_no_newer_order(connection: Connection, model_line: str, known: int) -> None:
    """Raise Conflict for an order that is newer than ``known``, and keep others from coming until the commit."""
    lock_line(connection, model_line)
    if newest_order(connection, model_line) != known:
        raise Conflict(f"an operator gave an order on {model_line} meanwhile; read it first")


def _require(connection: Connection, name: VersionName) -> None:
    """Raise VersionNotFound, listing the newest versions, if a version does not exist."""
    of_line = select(versions.c.number).where(versions.c.model_line == name.line)
    if connection.scalar(of_line.where(versions.c.number == name.number)) is None:
        newest = connection.scalars(of_line.order_by(versions.c.number.desc()).limit(_NEWEST_NAMED)).all()
        listed = ", ".join(f"v{number}" for number in reversed(newest)) or "none"
        raise VersionNotFound(f"there is no {name}; versions of {name.line}: {listed}")


def _batched(items: Sequence[_T], size: int) -> Iterator[tuple[_T, ...]]:
    rest = iter(items)
    while batch := tuple(islice(rest, size)):
        yield batch
