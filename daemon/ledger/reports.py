"""Keeps the reports of windows in which something changed. They quote conversations, and go when one of those does."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from daemon.domain.errors import LedgerError
from daemon.ledger.database import reader
from daemon.ledger.reference_rows import in_reference, reference_of
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, references, reports, windows


@dataclass(frozen=True, kw_only=True, slots=True)
class NewReport:
    """A report that was just made."""

    html: bytes  # compressed by gzip
    conversations: int  # that it was made of: those of the window and of the reference


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportEntry:
    """A report that is kept, without its text."""

    window: int
    made_at: datetime
    size: int  # bytes, compressed


class ReportLedger:
    """Reads reports; they are written with the judgement that they explain."""

    def __init__(self, engine: Engine) -> None:
        self._reads = reader(engine)

    def newest_first(self) -> list[ReportEntry]:
        """Return what there is. Raises LedgerError where the ledger can't be read."""
        columns = (reports.c.window, reports.c.made_at, func.length(reports.c.html).label("size"))
        query = select(*columns).order_by(reports.c.window.desc())
        with self._reading() as connection:
            return [ReportEntry(**row) for row in connection.execute(query).mappings()]

    def html(self, window: int) -> bytes | None:
        """Return a window's report, compressed by gzip; None where there is none. Raises LedgerError."""
        with self._reading() as connection:
            found: bytes | None = connection.scalar(select(reports.c.html).where(reports.c.window == window))
            return found

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._reads.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise LedgerError("the ledger can't be read; see what `retuned doctor` finds") from error


def add_report(connection: Connection, window: int, report: NewReport, *, now: datetime) -> None:
    """Write a window's report with its judgement, unless something that it was made of is gone meanwhile."""
    values = {"made_at": now, "conversations": report.conversations, "html": report.html}
    connection.execute(insert(reports).values(window=window, **values))
    drop_incomplete_reports(connection)


def drop_incomplete_reports(connection: Connection) -> int:
    """Drop the reports that were made of a conversation that is not in the ledger any more; return how many."""
    query = select(reports.c.window, reports.c.conversations).order_by(reports.c.window)
    return _drop(
        connection,
        [
            window
            for window, made_of in connection.execute(query).all()
            if _left(connection, window) < made_of
        ],
    )


def drop_old_reports(connection: Connection, *, keep: int) -> int:
    """Drop all but the newest ``keep``; return how many. Those of the last alarm are among the newest."""
    query = select(reports.c.window).order_by(reports.c.window.desc()).offset(keep)
    return _drop(connection, connection.scalars(query).all())


def _left(connection: Connection, window: int) -> int:
    """Count the conversations of a window and its reference."""
    span = connection.execute(select(windows).where(windows.c.number == window)).mappings().one()
    known = select(references).where(references.c.id == span["reference_id"])
    past = reference_of(connection.execute(known).mappings().one())
    inside = conversations.c.seq.between(span["first_seq"], span["last_seq"])
    return connection.scalar(select(func.count()).where(inside | in_reference(past))) or 0


def _drop(connection: Connection, numbers: Sequence[int]) -> int:
    if not numbers:
        return 0
    return connection.execute(
        delete(reports).where(in_values(connection, reports.c.window, numbers))
    ).rowcount
