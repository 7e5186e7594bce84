"""Reads a ledger as it is at one moment, while others go on writing to it."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from daemon.domain.errors import LedgerError
from daemon.ledger.database import connect, reader
from daemon.ledger.portable import count_rows, read_tables
from daemon.ledger.schema import revision_of
from daemon.ledger.tables import identity
from registry.tables import versions

_WAITS_S = 10.0


class LedgerSnapshot:
    """A ledger at one moment."""

    def __init__(self, connection: Connection, *, database: str) -> None:
        self._connection = connection
        self.database = database  # sqlite or postgresql

    def revision(self) -> str:
        """Return the revision of its schema. Raises LedgerError where there is no ledger."""
        found = revision_of(self._connection)
        if found is None:
            raise LedgerError(
                "the database holds no ledger: start it with `retuned run`, or check ledger_url"
            )
        return found

    def facts(self) -> Mapping[str, str]:
        """Return what it is bound to, such as the model line."""
        return dict(self._connection.execute(select(identity.c.name, identity.c.value)).all())

    def versions(self) -> Sequence[Mapping[str, Any]]:
        """Return the documents of all versions, oldest first."""
        return list(self._connection.scalars(select(versions.c.document).order_by(versions.c.number)))

    def rows(self) -> Mapping[str, int]:
        """Return the number of rows in each table."""
        return count_rows(self._connection)

    def tables(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the name and the lines of each table; read the lines of one before the next."""
        return read_tables(self._connection)


@contextmanager
def snapshot(url: URL, *, folder: Path) -> Iterator[LedgerSnapshot]:
    """Open a snapshot; nobody waits for it.

    PostgreSQL: one transaction of the isolation level REPEATABLE READ. SQLite: a copy in ``folder``, made by its backup
    API with what is in the write-ahead log, and deleted at the end.
    Raises LedgerError where the ledger can't be read or is damaged.
    """
    engine = connect(url)
    try:
        if engine.dialect.name == "sqlite":
            with _copied(engine, folder / "ledger.db") as connection:
                yield LedgerSnapshot(connection, database="sqlite")
        else:
            options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            with engine.connect().execution_options(**options) as connection:
                # Who reads a snapshot may have other work between two tables, and keeps nobody from writing.
                connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
                yield LedgerSnapshot(connection, database=engine.dialect.name)
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise LedgerError(f"the ledger can't be read: {cause}; run `retuned doctor`") from error
    finally:
        engine.dispose()


@contextmanager
def _copied(engine: Engine, copy: Path) -> Iterator[Connection]:
    _copy(Path(str(engine.url.database)), copy)
    copied = connect(URL.create("sqlite", database=str(copy)))
    try:
        with reader(copied).connect() as connection:
            yield connection
    finally:
        copied.dispose()


def _copy(file: Path, copy: Path) -> None:
    """Copy an SQLite database with its backup API, and check the copy."""
    source = sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, timeout=_WAITS_S)
    target = sqlite3.connect(copy)
    try:
        source.backup(target)
        problems = [row[0] for row in target.execute("PRAGMA quick_check(3)")]
    except sqlite3.DatabaseError as error:
        raise LedgerError(f"the ledger {file} can't be read: {error}; run `retuned doctor`") from error
    finally:
        target.close()
        source.close()
    if problems != ["ok"]:
        raise LedgerError(
            f"the ledger {file} is damaged: {'; '.join(problems)}; restore an earlier backup: `retuned restore FILE --yes`"
        )
