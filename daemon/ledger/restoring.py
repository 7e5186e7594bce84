"""Builds a ledger from the rows of a backup, in a file or on a server."""

import sqlite3
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from daemon.domain.errors import LedgerError
from daemon.ledger.database import connect, create_schema, sqlite_file
from daemon.ledger.lease import lease_of
from daemon.ledger.lease_policy import LeaseState, ObservedLease, may_take_over, observe
from daemon.ledger.portable import has_tables, set_aside, write_tables
from daemon.ledger.restore_journal import BESIDE

Tables = Mapping[str, Iterable[bytes]]
_POLLS_S = 0.2
_WAITS_S = 5.0


class LedgerInUse(LedgerError):
    """Another process uses the ledger. Stop it first."""


def ledger_exists(url: str | URL) -> bool:
    """Return whether there is a ledger. Raises LedgerError where the server can't be reached."""
    file = sqlite_file(url)
    if file is not None:
        return file.exists()
    engine = connect(url)
    try:
        with engine.connect() as connection:
            return has_tables(connection)
    except SQLAlchemyError as error:
        raise _unusable(error) from error
    finally:
        engine.dispose()


def leader_of(
    url: URL, *, lease_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> str | None:
    """Return the host and process of a daemon that leads on a ledger; None if none does.

    Where the holder of the lease can't be looked at from here, this waits until it renews the lease, or for ``lease_s``.
    A ledger that can't be read has no daemon: it ends with the first error.
    """
    engine = connect(url)
    try:
        seen: ObservedLease | None = None
        while held := lease_of(engine):
            before, seen = seen, observe(seen, held, now=clock())
            if held.holder is None or may_take_over(seen, now=clock(), ttl_s=lease_s):
                return None
            if held.holder.seen_alive or (before is not None and before.held != held):
                return f"process {held.holder.pid} on {held.holder.host}"
            sleep(_POLLS_S)
    except (SQLAlchemyError, LedgerError):
        return None
    finally:
        engine.dispose()
    return None


def stored_lease(url: URL) -> LeaseState | None:
    """Return the lease of a ledger as it is stored; None if no daemon has ever led. Raises LedgerError."""
    engine = connect(url)
    try:
        return lease_of(engine)
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise LedgerError(f"the ledger can't be read: {cause}; run `retuned doctor`") from error
    finally:
        engine.dispose()


def settle(file: Path) -> None:
    """Write the log of an SQLite ledger into its file, which nobody else may have open; a damaged one stays as it is.

    Raises LedgerInUse.
    """
    connection = sqlite3.connect(file, timeout=_WAITS_S)
    try:
        connection.execute("PRAGMA journal_mode=DELETE").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise LedgerInUse(
                f"another process uses the ledger {file}; stop it, and repeat the command"
            ) from error
    except sqlite3.DatabaseError:
        return
    finally:
        connection.close()


def build_file(file: Path, tables: Tables, *, revision: str) -> None:
    """Build an SQLite ledger in a new file that its owner alone can read. Raises LedgerError, BadRows."""
    for suffix in ("", *BESIDE):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    engine = connect(URL.create("sqlite", database=str(file)))
    try:
        with engine.begin() as connection:
            write_tables(connection, tables, revision=revision)
    except SQLAlchemyError as error:
        raise _unusable(error) from error
    finally:
        engine.dispose()


def replace_on_server(url: URL, tables: Tables, *, revision: str, aside: str | None) -> str | None:
    """Build the ledger on PostgreSQL in one transaction.

    The tables that are there move to a schema named ``aside``, or nearly so, whose name is returned; None: there are none.
    Raises LedgerError, BadRows; then nothing has changed.
    """
    create_schema(url)
    engine = connect(url)
    try:
        with engine.begin() as connection:
            schema = None if aside is None else set_aside(connection, aside)
            write_tables(connection, tables, revision=revision)
            sys.audit("retuned.step", "restore.server", "before")
    except SQLAlchemyError as error:
        raise _unusable(error) from error
    finally:
        engine.dispose()
    sys.audit("retuned.step", "restore.server", "after")
    return schema


def _unusable(error: SQLAlchemyError) -> LedgerError:
    cause = str(getattr(error, "orig", None) or error).splitlines()[0]
    return LedgerError(f"the ledger can't be written: {cause}; run `retuned doctor`")
