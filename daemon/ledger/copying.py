"""Copies a ledger into an empty place, in one transaction, and compares both sides before it is committed."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from daemon.domain.errors import LedgerError
from daemon.ledger.database import connect, create_schema, one_schema_change_at_a_time, shown
from daemon.ledger.portable import fill_tables, finish_tables, has_tables, read_tables
from daemon.ledger.restore_journal import BESIDE
from daemon.ledger.row_digest import RowDigest, TableRows
from daemon.ledger.snapshot import LedgerSnapshot

_TELLS_EVERY = 1_000


class CopyDiffers(LedgerError):
    """What was copied does not read as what was there. The copy was not committed."""


class NotEmpty(LedgerError):
    """There is a ledger in the place that a copy was to take. Nothing was changed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyProgress:
    """How far a copy has come. Each row counts twice: when it is written, and when it is compared."""

    phase: str  # copying or comparing
    table: str
    done: int
    total: int


Watch = Callable[[CopyProgress], None]


def copy_to_server(source: LedgerSnapshot, url: str | URL, *, watch: Watch) -> tuple[TableRows, ...]:
    """Copy a ledger to PostgreSQL and return what was copied. The place it takes keeps nothing of a copy that failed.

    Raises NotEmpty, CopyDiffers, LedgerError.
    """
    create_schema(url)
    engine = connect(url)
    try:
        with engine.begin() as connection:
            one_schema_change_at_a_time(connection)
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            if has_tables(connection):
                raise NotEmpty(f"{shown(url)} has tables of a ledger; name an empty database")
            copied = _copy(source, connection, watch)
            sys.audit("retuned.step", "migrate.server", "before")
    except SQLAlchemyError as error:
        raise _unusable(error) from error
    finally:
        engine.dispose()
    sys.audit("retuned.step", "migrate.server", "after")
    return copied


def copy_to_file(source: LedgerSnapshot, file: Path, *, watch: Watch) -> tuple[TableRows, ...]:
    """Copy a ledger to a new SQLite file, in place of what was there, and return what was copied.

    Raises CopyDiffers, LedgerError.
    """
    for suffix in ("", *BESIDE):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    engine = connect(URL.create("sqlite", database=str(file)))
    try:
        with engine.begin() as connection:
            return _copy(source, connection, watch)
    except SQLAlchemyError as error:
        raise _unusable(error) from error
    finally:
        engine.dispose()


def _copy(source: LedgerSnapshot, target: Connection, watch: Watch) -> tuple[TableRows, ...]:
    """Write the rows, read them back, and only then upgrade them to this release's schema."""
    rows = source.rows()
    progress = _Progress(2 * sum(rows.values()), watch)
    digests = {name: RowDigest(name) for name in rows}
    passed: Mapping[str, Iterable[bytes]] = {
        name: progress.over("copying", name, digests[name].over(lines)) for name, lines in source.tables()
    }
    fill_tables(target, passed, revision=source.revision())
    copied = [digest.result() for digest in digests.values()]
    _compare(copied, target, progress)
    finish_tables(target)
    return tuple(copied)


def _compare(copied: Iterable[TableRows], target: Connection, progress: "_Progress") -> None:
    wanted = {table.name: table for table in copied}
    for name, lines in read_tables(target):
        digest = RowDigest(name)
        for _ in progress.over("comparing", name, digest.over(lines)):
            pass
        found, expected = digest.result(), wanted.get(name)
        if found != expected:
            was = "none" if expected is None else f"{expected.rows} of digest {expected.digest[:12]}"
            raise CopyDiffers(
                f"{name} has {found.rows} rows of digest {found.digest[:12]} after the copy, and had {was} before; "
                "nothing was kept of the copy; report this as a bug of retuned"
            )


class _Progress:
    """Counts rows and tells of every thousandth."""

    def __init__(self, total: int, watch: Watch) -> None:
        self._total = total
        self._done = 0
        self._watch = watch

    def over(self, phase: str, table: str, lines: Iterable[bytes]) -> Iterator[bytes]:
        for number, line in enumerate(lines):
            yield line
            self._done += bool(number)  # the first line names the columns
            if self._done % _TELLS_EVERY == 0:
                self._tell(phase, table)
        self._tell(phase, table)

    def _tell(self, phase: str, table: str) -> None:
        self._watch(CopyProgress(phase=phase, table=table, done=self._done, total=self._total))


def _unusable(error: SQLAlchemyError) -> LedgerError:
    cause = str(getattr(error, "orig", None) or error).splitlines()[0]
    return LedgerError(f"the ledger can't be copied: {cause}; nothing was kept of the copy")
