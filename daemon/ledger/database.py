"""Opens the ledger, on SQLite or PostgreSQL, and migrates it to the schema of this release."""

import os
import shutil
import sqlite3
import sys
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Insert,
    Table,
    create_engine,
    event,
    func,
    insert,
    inspect,
    make_url,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import QueuePool
from sqlalchemy.schema import CreateSchema

from daemon.domain.errors import LedgerError, LedgerLost, StaleLeader
from daemon.domain.private_files import make_private_file
from daemon.ledger.faults import declare_faults
from daemon.ledger.named_schema import libpq_options, named_schema
from daemon.ledger.schema import migrate
from daemon.ledger.sqlite_file import watch_file
from daemon.ledger.tables import LEADER, identity, lease

#: Keys of PostgreSQL advisory locks. Nothing else on the database server may use them.
_SCHEMA_LOCK, _INTAKE_LOCK = 0x72657474, 0x72657475
#: The server ends a transaction that is idle for longer, so that a suspended replica can't block the others.
_IDLE_IN_TRANSACTION_MS = 10_000
#: How long a statement waits for another connection's lock, and the pause between attempts where SQLite itself does not
#: wait.
_SQLITE_WAITS_S, _SQLITE_RETRIES_S = 10.0, 0.01
#: Memory that each connection may take for pages, in KiB. With SQLite's own 2 MiB each batch reads its indexes anew.
_SQLITE_CACHE_KIB = 32 * 1024
#: The driver of PostgreSQL that is installed and tested.
POSTGRESQL = "postgresql+psycopg"
#: How libpq notices a server that is gone without a word, in seconds (the last one in milliseconds).
_NOTICES_LOSS: Mapping[str, object] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def open_ledger(url: str | URL) -> Engine:
    """Connect to the ledger and bring its schema up to date.

    Raises LedgerUnavailable if it can't be reached for now, LedgerLost if it is damaged, LedgerError if it can't be opened
    at all, or was written by a newer release.
    """
    try:
        create_schema(url)
        engine = connect(url)
    except (ArgumentError, ImportError, OSError) as error:
        raise LedgerError(f"the ledger {shown(url)} can't be opened: {error}; check ledger_url") from error
    try:
        with engine.begin() as connection:
            one_schema_change_at_a_time(connection)  # replicas may start together
            migrate(connection)
    except LedgerError:
        engine.dispose()
        raise
    except SQLAlchemyError as error:
        engine.dispose()
        raise LedgerError(
            f"the ledger {shown(url)} can't be opened: {_root(error)}; check ledger_url"
        ) from error
    return engine


def connect(url: str | URL) -> Engine:
    """Return an engine. On SQLite, write transactions take the write lock at their start, so that none fails half-way."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return _connect_server(parsed)
    if (file := sqlite_file(parsed)) is not None:
        _create_private(file)
    engine = create_engine(
        parsed, connect_args={"timeout": _SQLITE_WAITS_S}, poolclass=QueuePool, hide_parameters=True
    )
    declare_faults(engine)
    event.listen(engine, "connect", _prepare_sqlite)
    if file is not None:
        watch_file(engine, file)
    event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "begin", _check_fence)
    return engine


def create_schema(url: str | URL) -> None:
    """Create the schema of PostgreSQL that a URL names as search_path, unless it is there.

    Raises LedgerUnavailable if the server can't be reached for now, or refuses it.
    """
    schema = named_schema(url)
    if schema is None:
        return
    engine = connect(url)  # not the one that is used: it would remember that there was no schema
    try:
        with engine.begin() as connection:
            _one_at_a_time(connection, _SCHEMA_LOCK)  # for replicas that start together
            if schema not in inspect(connection).get_schema_names():
                connection.execute(CreateSchema(schema))
    finally:
        engine.dispose()


def sqlite_file(url: str | URL) -> Path | None:
    """Return the file of a ledger on SQLite; None for a ledger on a server or in memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return None if parsed.query.get("uri") else Path(str(parsed.database))


def _create_private(file: Path) -> None:
    """Create the file of a ledger, which SQLite would let others read. Its log and index get the mode of the file."""
    descriptor = make_private_file(file)
    if descriptor is not None:
        os.close(descriptor)


def _connect_server(url: URL) -> Engine:
    options: dict[str, object] = {}
    if url.get_backend_name() == "postgresql":
        if url.drivername == "postgresql":
            url = url.set(drivername=POSTGRESQL)
        options = {name: value for name, value in _NOTICES_LOSS.items() if name not in url.query}
        ours = f"-c idle_in_transaction_session_timeout={_IDLE_IN_TRANSACTION_MS}"
        options["options"] = f"{ours} {libpq_options(url)}".strip()
    # Errors would quote what they could not write: conversations.
    engine = create_engine(url, pool_pre_ping=True, connect_args=options, hide_parameters=True)
    if (schema := named_schema(url)) is not None:
        engine = engine.execution_options(retuned_schema=schema)
    declare_faults(engine)
    event.listen(engine, "begin", _check_fence)
    return engine


@contextmanager
def write(engine: Engine, step: str) -> Iterator[Connection]:
    """Open a write transaction, which is committed at the end of the block, or rolled back on an exception.

    ``step`` names it in the audit events before and after its commit (``sys.addaudithook``), at which tests inject faults.
    Raises LedgerUnavailable, for example if the disk is full.
    """
    with engine.begin() as connection:
        yield connection
        sys.audit("retuned.step", step, "before")
    sys.audit("retuned.step", step, "after")


def fenced(engine: Engine, fence: int) -> Engine:
    """Return the same ledger for the leader with this fencing token.

    With a stale token, beginning a write transaction raises StaleLeader. A takeover waits for the write transactions
    that have begun, so the former leader writes nothing after it.
    """
    return engine.execution_options(retuned_fence=fence)


def in_intake_order(connection: Connection) -> None:
    """Serialise this transaction with all others that call this, so that conversations are committed in order of seq.

    So when a window or a reference is written, every conversation up to its end is stored. On SQLite this does nothing,
    because it has a single writer anyway.
    """
    _one_at_a_time(connection, _INTAKE_LOCK)


def one_schema_change_at_a_time(connection: Connection) -> None:
    """Serialise this transaction with all others that make or migrate tables."""
    _one_at_a_time(connection, _SCHEMA_LOCK)


def _one_at_a_time(connection: Connection, lock: int) -> None:
    """Wait for the lock of the ledger. Ledgers in schemas of one database do not wait for each other."""
    if connection.dialect.name == "postgresql":
        schema = connection.get_execution_options().get("retuned_schema")
        of_schema = zlib.crc32(schema.encode()) >> 1 << 32 if schema else 0
        connection.execute(select(func.pg_advisory_xact_lock(of_schema | lock)))


def _check_fence(connection: Connection) -> None:
    options = connection.get_execution_options()
    fence = options.get("retuned_fence")
    if fence is None or options.get("retuned_read", False):
        return
    query = select(lease.c.fence).where(lease.c.name == LEADER)
    # The row is locked until the end of the transaction, so that no takeover happens meanwhile.
    newest = connection.scalar(query.with_for_update(read=True))
    if newest is None or newest < fence:
        raise LedgerLost(
            f"the ledger has fencing token {newest}, an older one than this leader's ({fence}): it was replaced by an "
            "older copy; nothing more is written; put the newest one back, and start again"
        )
    if newest != fence:
        raise StaleLeader(
            f"another replica leads (fencing token {newest}); this one has fencing token {fence}"
        )


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """Return an INSERT that skips rows whose key exists."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # slow to load, and loaded by the engine where it is used

        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def reader(engine: Engine) -> Engine:
    """Return the same ledger for reading. Its transactions take no write lock."""
    return engine.execution_options(retuned_read=True)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the begin event starts transactions, not the driver
    _write_ahead(connection)
    cache = f"cache_size=-{_SQLITE_CACHE_KIB}"
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", cache):
        connection.execute(f"PRAGMA {pragma}").close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn on write-ahead logging, with which readers and the writer do not wait for each other.

    SQLite does not wait for the lock here, because it would have to upgrade a read lock. If several replicas create the
    ledger at once, all but one therefore get "database is locked" and have to retry.
    """
    deadline = time.monotonic() + _SQLITE_WAITS_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_SQLITE_RETRIES_S)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("retuned_read", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


#: What to do about a bound fact that differs, by its name.
_REMEDIES = {
    "model_line": "set model_line back, or give the other line a state_dir or ledger_url of its own",
    "holdout": "restore that key (the part before the slash) and holdout.share (the part after it)",
}


def bind_identity(
    engine: Engine, facts: Mapping[str, str], *, made_once: Mapping[str, str] | None = None
) -> None:
    """Store facts that must never change in a ledger, such as its model line, or compare them with the stored ones.

    Those ``made_once`` are stored unless the ledger has others. Raises LedgerError naming the fact that differs.
    """
    with engine.begin() as connection:
        one_schema_change_at_a_time(connection)
        rows = connection.execute(select(identity.c.name, identity.c.value))
        known = dict(rows.all())
        for name, value in facts.items():
            if known.get(name, value) != value:
                raise LedgerError(
                    f"this ledger was created with {name} {known[name]}, but the settings now have {value}; "
                    f"{_REMEDIES.get(name, 'restore the old value')}; for a new beginning, start a new ledger"
                )
        wanted = {**facts, **(made_once or {})}
        missing: list[dict[str, Any]] = [{"name": n, "value": v} for n, v in wanted.items() if n not in known]
        if missing:
            connection.execute(insert(identity), missing)


def missing_file(url: str | URL) -> Path | None:
    """Return the path of an SQLite ledger that does not exist or is empty; None if there is one, or it is on a server."""
    file = sqlite_file(url)
    return None if file is None or (file.exists() and file.stat().st_size) else file


def size_bytes(url: str | URL) -> int:
    """Return the bytes that an SQLite ledger takes on disk; 0 for a ledger on a server."""
    file = sqlite_file(url)
    if file is None:
        return 0
    files: Iterable[Path] = (Path(f"{file}{suffix}") for suffix in ("", "-wal", "-shm"))
    return sum(file.stat().st_size for file in files if file.exists())


def disk_free_bytes(url: str | URL) -> int | None:
    """Return the free space on the disk of an SQLite ledger; None for a ledger on a server. Raises OSError."""
    file = sqlite_file(url)
    return None if file is None else shutil.disk_usage(file.absolute().parent).free


def _root(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def shown(url: str | URL) -> str:
    """Return a URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "that ledger_url names"
