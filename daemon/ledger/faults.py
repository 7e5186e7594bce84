"""Tells faults of the ledger that pass from those that last."""

import sqlite3

from sqlalchemy import Engine, ExceptionContext, event
from sqlalchemy.exc import OperationalError

from daemon.domain.errors import LedgerError, LedgerLost, LedgerUnavailable

#: Primary result codes of SQLite, each with what to do.
_SQLITE_PASSES = {
    sqlite3.SQLITE_BUSY: "it can be used again once the other program is done",
    sqlite3.SQLITE_LOCKED: "it can be used again once the other program is done",
    sqlite3.SQLITE_PROTOCOL: "it can be used again once the other program is done",
    sqlite3.SQLITE_FULL: "nothing is lost; free some space",
    sqlite3.SQLITE_NOMEM: "free some memory",
    sqlite3.SQLITE_IOERR: "check its disk",
    sqlite3.SQLITE_CANTOPEN: "check that its folder is there and may be written",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable",
    sqlite3.SQLITE_PERM: "make the file and its folder writable",
}
_SQLITE_LASTS = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

#: SQLSTATEs of PostgreSQL that pass though SQLAlchemy does not count them among the operational errors.
_POSTGRESQL_PASSES = {
    "25006": "the server takes no writes: it is a standby",
    "25P03": "the server ended a transaction that was idle",
    "42501": "grant the user of ledger_url its rights",
    "55P03": "it can be used again once the other program is done",
}
#: Damaged data and indexes; a table that is gone.
_POSTGRESQL_LASTS = {"XX001", "XX002", "42P01"}
_START_SERVER = "check that its server runs and that ledger_url is right"
_FREE_SPACE = "nothing is lost; free some space"
_NO_SPACE = "53100"

_RESTORE = "stop the daemon and restore a backup: `retuned restore FILE --yes`"


def declare_faults(engine: Engine) -> None:
    """Have the engine raise LedgerUnavailable for faults that pass and LedgerLost for damage, instead of the driver's error."""
    event.listen(engine, "handle_error", _declared, retval=True)


def _declared(context: ExceptionContext) -> LedgerError | None:
    if context.is_pre_ping or context.engine is None:
        return None
    error, url = context.original_exception, context.engine.url
    shown, cause = url.render_as_string(hide_password=True), _first_line(error)
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, shown, cause)
    state = getattr(error, "sqlstate", None)
    if state in _POSTGRESQL_LASTS:
        return LedgerLost(f"the ledger {shown} is damaged: {cause}; {_RESTORE}")
    if state in _POSTGRESQL_PASSES:
        return _unavailable(shown, cause, _POSTGRESQL_PASSES[state])
    if context.is_disconnect or isinstance(context.sqlalchemy_exception, OperationalError):
        return _unavailable(shown, cause, _FREE_SPACE if state == _NO_SPACE else _START_SERVER)
    return None


def _of_sqlite(error: sqlite3.Error, shown: str, cause: str) -> LedgerError | None:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _SQLITE_LASTS or (code == sqlite3.SQLITE_ERROR and "no such table" in cause):
        return LedgerLost(f"the ledger {shown} is damaged: {cause}; {_RESTORE}")
    remedy = _SQLITE_PASSES.get(code)
    return None if remedy is None else _unavailable(shown, cause, remedy)


def _unavailable(shown: str, cause: str, remedy: str) -> LedgerUnavailable:
    return LedgerUnavailable(f"the ledger {shown} can't be used now: {cause}; {remedy}")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
