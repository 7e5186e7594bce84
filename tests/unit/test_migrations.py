from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, text

from daemon.errors import LedgerError
from daemon.ledger.database import bind_identity, open_ledger
from daemon.ledger.tables import metadata
from registry.tables import metadata as registry_metadata


def test_the_migrations_make_the_tables_that_the_program_uses(tmp_path: Path) -> None:
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")

    wanted = MetaData()
    for table in (*metadata.tables.values(), *registry_metadata.tables.values()):
        table.to_metadata(wanted)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), wanted)

    assert differences == []


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    bind_identity(open_ledger(url), {"model_line": "chat"})

    bind_identity(open_ledger(url), {"model_line": "chat"})


def test_a_ledger_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with open_ledger(url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(LedgerError, match="schema 9999, which this release does not know"):
        open_ledger(url)


def test_a_ledger_of_another_model_line_is_refused(tmp_path: Path) -> None:
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    bind_identity(engine, {"model_line": "chat"})

    with pytest.raises(LedgerError, match="model_line chat, the settings now say other"):
        bind_identity(engine, {"model_line": "other"})


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"no database" * 100)

    with pytest.raises(LedgerError, match="can't be opened"):
        open_ledger(f"sqlite:///{path}")

    assert path.read_bytes() == b"no database" * 100
