"""Brings a ledger to a revision of its schema."""

from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, String, column, inspect, select, table

from daemon.domain.errors import LedgerError

#: The table in which Alembic keeps the revision.
VERSION_TABLE = "alembic_version"
#: Alembic keeps what it works on in its modules, so one thread at a time can use it.
_ALEMBIC = Lock()
_MIGRATIONS = Path(__file__).parent / "migrations"
_REVISION = select(column("version_num", String)).select_from(table(VERSION_TABLE))


def newest_revision() -> str:
    """Return the revision of this release's schema: the last of the migrations, whose files are named v0001_*.py."""
    return max(file.name[1:5] for file in _MIGRATIONS.glob("versions/v*.py"))


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a ledger's schema; None for an empty database."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(_REVISION)


def migrate(connection: Connection, revision: str | None = None) -> None:
    """Upgrade to a revision, by default to this release's. Raises LedgerError for a revision that it does not know.

    Alembic takes a tenth of a second to load, so it is loaded only where the ledger has another revision.
    """
    wanted = revision or newest_revision()
    if revision_of(connection) != wanted:
        _upgrade(connection, wanted)


def _upgrade(connection: Connection, wanted: str) -> None:
    with _ALEMBIC:
        _upgrade_alone(connection, wanted)


def _upgrade_alone(connection: Connection, wanted: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    for unknown in {revision_of(connection), wanted} - known - {None}:
        raise LedgerError(
            f"the ledger has schema {unknown}, which this release does not know; run the release that wrote it, or newer"
        )
    command.upgrade(config, wanted)
