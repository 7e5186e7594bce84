"""Keeps everybody from writing to a ledger for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection

from daemon.ledger.database import connect
from daemon.ledger.portable import table_names

_WAITS_MS = 10_000


@contextmanager
def writes_blocked(url: URL) -> Iterator[None]:
    """Let nobody write to a ledger until the end of the block; reading goes on. Nothing in it changes.

    Raises LedgerUnavailable where somebody has been writing to it for ten seconds, or where it can't be reached.
    """
    engine = connect(url)
    try:
        with (
            engine.connect() as connection,
            connection.begin() as transaction,
        ):  # on SQLite, this takes the lock
            if connection.dialect.name == "postgresql":
                _lock_tables(connection)
            yield
            transaction.rollback()
    finally:
        engine.dispose()


def _lock_tables(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_WAITS_MS}")
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    quoted = map(connection.dialect.identifier_preparer.quote, table_names(connection))
    if names := ", ".join(quoted):
        connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE MODE")
