"""The ledgers of several model lines in one PostgreSQL database: a schema each, and nothing in common."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from sqlalchemy import inspect

from daemon.backup.create import create_backup
from daemon.backup.restore import restore_backup
from daemon.config.loader import load_lines
from daemon.config.settings import Settings
from daemon.domain.errors import LedgerLost
from daemon.ledger.database import connect, in_intake_order
from daemon.ledger.ledger_id import LedgerId
from daemon.ledger.restoring import ledger_exists
from daemon.ledger.stores import Stores, ledger_url, open_stores
from tests.factories.ledger import a_batch, some_conversations
from tests.servers.postgres_server import PostgresServer

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
def lines(database: str, tmp_path: Path) -> dict[str, Settings]:
    (tmp_path / "key").write_text("0" * 64)
    file = tmp_path / "retuned.yaml"
    document = {
        "state_dir": str(tmp_path / "state"),
        "ledger_url": database,
        "artifacts_url": f"file://{tmp_path / 'artifacts'}",
        "holdout": {"key_file": str(tmp_path / "key")},
        "model": {"base": "/models/chat"},
        "lines": {"support-bot": {}, "sales": {}},
    }
    file.write_text(yaml.safe_dump(document))
    found = load_lines(file, {})
    for settings in found.values():
        settings.state_dir.mkdir(parents=True)
    return found


@pytest.fixture
def stores(lines: dict[str, Settings]) -> Iterator[dict[str, Stores]]:
    found = {name: open_stores(settings) for name, settings in lines.items()}
    yield found
    for each in found.values():
        each.engine.dispose()


def read(stores: Stores, count: int) -> None:
    stores.intake.record(a_batch(some_conversations(0, count), at=NOW))


def test_each_line_has_the_tables_of_a_ledger_in_its_schema(stores: dict[str, Stores], database: str) -> None:
    engine = connect(database)
    found = inspect(engine)
    tables = {schema: set(found.get_table_names(schema)) for schema in found.get_schema_names()}
    engine.dispose()

    assert tables["retuned_sales"] == tables["retuned_support_bot"]
    assert {"conversations", "identity", "alembic_version"} <= tables["retuned_sales"]
    assert tables["public"] == set()


def test_what_one_line_reads_the_other_has_not(stores: dict[str, Stores]) -> None:
    read(stores["sales"], 3)

    assert stores["sales"].conversations.last_seq() == 3
    assert stores["support-bot"].conversations.last_seq() == 0


def test_a_line_does_not_wait_for_another_one_s_intake(stores: dict[str, Stores]) -> None:
    with stores["sales"].engine.begin() as connection:
        in_intake_order(connection)
        other = threading.Thread(target=read, args=(stores["support-bot"], 1))
        other.start()
        other.join(20)

        assert not other.is_alive()
    assert stores["support-bot"].conversations.last_seq() == 1


def test_replicas_of_a_line_wait_for_each_other(
    lines: dict[str, Settings], stores: dict[str, Stores]
) -> None:
    replica = connect(ledger_url(lines["sales"]))
    with closing(replica.raw_connection()), stores["sales"].engine.begin() as connection:
        in_intake_order(connection)
        with replica.begin() as second:
            second.exec_driver_sql("SET LOCAL lock_timeout = 200")
            with pytest.raises(Exception, match="lock timeout"):
                in_intake_order(second)
            second.rollback()
    replica.dispose()


def test_a_schema_that_is_dropped_loses_that_line_alone(
    stores: dict[str, Stores], database: str, postgres: PostgresServer
) -> None:
    ids = {name: LedgerId(each.engine) for name, each in stores.items()}
    for each in ids.values():
        each.note_opened()

    postgres.say("DROP SCHEMA retuned_sales CASCADE", database=database.rpartition("/")[2].partition("?")[0])

    with pytest.raises(LedgerLost):
        ids["sales"].check()
    ids["support-bot"].check()


def test_a_backup_of_one_line_is_restored_beside_the_others(
    lines: dict[str, Settings], stores: dict[str, Stores], tmp_path: Path
) -> None:
    for each, count in ((stores["sales"], 2), (stores["support-bot"], 5)):
        read(each, count)
    file = tmp_path / "sales.backup"
    create_backup(lines["sales"], file, with_artifacts=True, replace=False, now=NOW)
    stores["sales"].intake.record(a_batch(some_conversations(2, 4), at=NOW))

    report = restore_backup(
        lines["sales"], file, replace=True, now=NOW, clock=lambda: 0.0, sleep=lambda _: None
    )

    assert report.kept == ("schema retuned_before_restore_20261124t000000z",)
    assert stores["sales"].conversations.last_seq() == 2
    assert stores["support-bot"].conversations.last_seq() == 5


def test_a_backup_is_restored_into_a_database_without_the_line(
    lines: dict[str, Settings], stores: dict[str, Stores], tmp_path: Path, postgres: PostgresServer
) -> None:
    read(stores["sales"], 2)
    file = tmp_path / "sales.backup"
    create_backup(lines["sales"], file, with_artifacts=True, replace=False, now=NOW)
    with postgres.database() as other:
        elsewhere = lines["sales"].model_copy(
            update={"ledger_url": f"{other}&options=-csearch_path%3Dretuned_sales"}
        )
        assert not ledger_exists(ledger_url(elsewhere))

        restore_backup(elsewhere, file, replace=False, now=NOW, clock=lambda: 0.0, sleep=lambda _: None)

        restored = open_stores(elsewhere)
        assert restored.conversations.last_seq() == 2
        restored.engine.dispose()
