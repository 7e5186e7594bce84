"""Brings a ledger to a revision of its schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from daemon.domain.errors import LedgerError

_MIGRATIONS = Path(__file__).parent / "migrations"


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a ledger's schema; None for an empty database."""
    return MigrationContext.configure(connection).get_current_revision()


def migrate(connection: Connection, revision: str = "head") -> None:
    """Upgrade to a revision, by default to this release's. Raises LedgerError for a revision that it does not know."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    wanted = script.get_current_head() if revision == "head" else revision
    present = revision_of(connection)
    if present == wanted:
        return
    known = {each.revision for each in script.walk_revisions()}
    for unknown in {present, wanted} - known - {None}:
        raise LedgerError(
            f"the ledger has schema {unknown}, which this release does not know; run the release that wrote it, or newer"
        )
    command.upgrade(config, revision)
