"""A ledger of an earlier release is backed up as it is, and restored in the schema of this release."""

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, create_engine, select

from daemon.backup.archive import opened
from daemon.backup.create import create_backup
from daemon.backup.restore import restore_backup
from daemon.config.settings import Settings
from daemon.ledger.database import connect, open_ledger
from daemon.ledger.stores import ledger_url, open_stores
from tests.compatibility.written import LATER, in_the_ledger
from tests.servers.postgres_server import PostgresServer


def rows(url: Any) -> dict[str, list[str]]:
    """All rows of a ledger, but for the lease, and for the ledger's id, which the first start of this release makes."""
    engine, tables = connect(url), MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        found = {
            table.name: sorted(map(repr, connection.execute(select(table)).all()))
            for table in tables.sorted_tables
            if table.name not in ("lease", "identity")
        }
    engine.dispose()
    return found


@pytest.fixture
def backup(settings: Settings, tmp_path: Path) -> Path:
    file = tmp_path / "a.backup"
    create_backup(settings, file, with_artifacts=False, replace=False, now=LATER)
    return file


def put_back(settings: Settings, backup: Path) -> None:
    restore_backup(settings, backup, replace=True, now=LATER, clock=time.monotonic, sleep=time.sleep)


def test_the_backup_has_the_schema_that_was_written(settings: Settings, backup: Path) -> None:
    [written] = in_the_ledger("SELECT version_num FROM alembic_version")

    with opened(backup) as archive:
        assert archive.manifest.revision == written
    engine = create_engine(ledger_url(settings))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == written
    engine.dispose()


def test_restored_it_is_what_the_upgrade_makes_of_it(settings: Settings, backup: Path) -> None:
    open_ledger(ledger_url(settings)).dispose()
    upgraded = rows(ledger_url(settings))

    put_back(settings, backup)

    assert rows(ledger_url(settings)) == upgraded


def test_it_moves_to_postgresql(settings: Settings, backup: Path, postgres: PostgresServer) -> None:
    key = settings.holdout.key_file or settings.state_dir / "holdout.key"
    with postgres.database() as url:
        server = settings.model_copy(
            update={"ledger_url": url, "holdout": settings.holdout.model_copy(update={"key_file": key})}
        )
        put_back(server, backup)
        stores = open_stores(server)
        assert len(stores.versions.versions(settings.model_line)) == 3
        stores.engine.dispose()
