"""Stores the reports of windows with drift. They quote conversations, and are deleted with any of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from daemon.domain.errors import LedgerError
from daemon.ledger.database import reader
from daemon.ledger.reference_rows import in_reference, reference_of
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, references, reports, windows


@dataclass(frozen=True, kw_only=True, slots=True)
class NewReport:
    """A report that is not stored yet."""

    html: bytes  # compressed by gzip
    conversations: int  # number of conversations that it was made of: the window's and the reference's


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportEntry:
    """A stored report, without its text."""

    window: int
    made_at: datetime
    size: int  # bytes, compressed


class ReportLedger:
    """Reads reports. ``WindowLedger.record_judgement`` writes them."""

    def __init__(self, engine: Engine) -> None:
        self._reads = reader(engine)

    def newest_first(self) -> list[ReportEntry]:
        """Return the stored reports. Raises LedgerError if the ledger can't be read."""
        columns = (reports.c.window, reports.c.made_at, func.length(reports.c.html).label("size"))
        query = select(*columns).order_by(reports.c.window.desc())
        with self._reading() as connection:
            return [ReportEntry(**row) for row in connection.execute(query).mappings()]

    def html(self, window: int) -> bytes | None:
        """Return a window's report, compressed by gzip; None if it has none. Raises LedgerError if the ledger can't be read."""
        with self._reading() as connection:
            html: bytes | None = connection.scalar(select(reports.c.html).where(reports.c.window == window))
            return html

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._reads.begin() as connection:
                yield connection
        except (LedgerError, SQLAlchemyError) as error:
            raise LedgerError("the ledger can't be read; run `retuned doctor` to find out why") from error


def add_report(connection: Connection, window: int, report: NewReport, *, now: datetime) -> None:
    """Store a window's report, unless a conversation that it was made of was deleted meanwhile."""
    values = {"made_at": now, "conversations": report.conversations, "html": report.html}
    connection.execute(insert(reports).values(window=window, **values))
    drop_incomplete_reports(connection)


def drop_incomplete_reports(connection: Connection) -> list[int]:
    """Drop the reports of which at least one conversation is no longer in the ledger; return their windows."""
    query = select(reports.c.window, reports.c.conversations).order_by(reports.c.window)
    incomplete = [
        window
        for window, made_of in connection.execute(query).all()
        if _count_stored(connection, window) < made_of
    ]
    _drop(connection, incomplete)
    return incomplete


def reports_made_of(connection: Connection, seqs: Sequence[int]) -> dict[int, frozenset[int]]:
    """Return for the window of each report which of these conversations it was made of."""
    asked = in_values(connection, conversations.c.seq, seqs)
    seq = select(conversations.c.seq)
    return {
        window: frozenset(connection.scalars(seq.where(asked & _is_part_of(connection, window))))
        for window in connection.scalars(select(reports.c.window)).all()
    }


def drop_old_reports(connection: Connection, *, keep: int) -> int:
    """Drop all reports but the newest ``keep``; return how many were dropped."""
    query = select(reports.c.window).order_by(reports.c.window.desc()).offset(keep)
    return _drop(connection, connection.scalars(query).all())


def _count_stored(connection: Connection, window: int) -> int:
    """Count the stored conversations of a window and of its reference."""
    return connection.scalar(select(func.count()).where(_is_part_of(connection, window))) or 0


def _is_part_of(connection: Connection, window: int) -> ColumnElement[bool]:
    """Whether a conversation is one of a window or of its reference."""
    span = connection.execute(select(windows).where(windows.c.number == window)).mappings().one()
    query = select(references).where(references.c.id == span["reference_id"])
    reference = reference_of(connection.execute(query).mappings().one())
    inside = conversations.c.seq.between(span["first_seq"], span["last_seq"])
    return inside | in_reference(reference)


def _drop(connection: Connection, numbers: Sequence[int]) -> int:
    if not numbers:
        return 0
    return connection.execute(
        delete(reports).where(in_values(connection, reports.c.window, numbers))
    ).rowcount
