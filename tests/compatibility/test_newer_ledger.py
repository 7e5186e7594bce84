"""A release that is rolled back refuses the ledger of a newer one, and its own backup is the way back."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon.backup.create import create_backup
from daemon.backup.restore import restore_backup
from daemon.config.settings import Settings
from daemon.domain.errors import LedgerError
from daemon.ledger.database import connect, open_ledger
from daemon.ledger.stores import ledger_url, open_stores
from tests.compatibility.test_backup import rows
from tests.compatibility.written import LATER
from tests.servers.postgres_server import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def upgraded(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a ledger in this release's schema."""
    if request.param == "sqlite":
        open_ledger(ledger_url(settings)).dispose()
        yield settings
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    file = tmp_path / "move.backup"
    create_backup(settings, file, with_artifacts=False, replace=False, now=LATER)
    key = settings.holdout.key_file or settings.state_dir / "holdout.key"
    with server.database() as url:
        moved = settings.model_copy(
            update={"ledger_url": url, "holdout": settings.holdout.model_copy(update={"key_file": key})}
        )
        put_back(moved, file)
        open_stores(moved).engine.dispose()
        yield moved


def put_back(settings: Settings, backup: Path) -> None:
    restore_backup(settings, backup, replace=True, now=LATER, clock=time.monotonic, sleep=time.sleep)


def migrate_further(engine: Engine) -> None:
    """What a newer release would do: a revision that this one does not have, with a column of its own."""
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN something_new TEXT")
    engine.dispose()


def test_an_older_release_refuses_the_ledger_and_leaves_it_as_it_is(upgraded: Settings) -> None:
    migrate_further(connect(ledger_url(upgraded)))
    before = rows(ledger_url(upgraded))

    with pytest.raises(
        LedgerError, match="schema 9999, which this release does not know; run the release that wrote it"
    ):
        open_stores(upgraded)

    assert rows(ledger_url(upgraded)) == before


def test_the_backup_from_before_the_upgrade_takes_it_back(upgraded: Settings, tmp_path: Path) -> None:
    backup = tmp_path / "before.backup"
    create_backup(upgraded, backup, with_artifacts=False, replace=False, now=LATER)
    before = rows(ledger_url(upgraded))
    migrate_further(connect(ledger_url(upgraded)))

    put_back(upgraded, backup)

    assert rows(ledger_url(upgraded)) == before
    open_stores(upgraded).engine.dispose()
