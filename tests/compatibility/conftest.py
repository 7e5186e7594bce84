"""The files of an earlier release in a folder of the test's own."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daemon.config.loader import load
from daemon.config.settings import Settings
from daemon.ledger.stores import Stores, open_stores
from tests.compatibility.written import (
    PATHS,
    ROOT,
    WRITTEN,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files in a folder of the test's own, as if they had been written there."""
    shutil.copytree(WRITTEN / "state", tmp_path / "state")
    shutil.copytree(WRITTEN / "target", tmp_path / "target")
    shutil.copy(WRITTEN / "holdout.key", tmp_path)
    shutil.copy(WRITTEN / "retuned.yaml", tmp_path)
    requests = (tmp_path / "state" / "runs").glob("*/request.json")
    for file in (tmp_path / "retuned.yaml", tmp_path / "target" / "live.json", *requests):
        file.write_text(file.read_text("utf-8").replace(ROOT, str(tmp_path)), encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.db")) as connection, connection:
        for table, column in PATHS:
            moved = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"  # noqa: S608
            connection.execute(moved, (ROOT, str(tmp_path)))
    return tmp_path


@pytest.fixture
def settings(folder: Path) -> Settings:
    return load(folder / "retuned.yaml", {})


@pytest.fixture
def stores(settings: Settings) -> Iterator[Stores]:
    opened = open_stores(settings)
    yield opened
    opened.engine.dispose()
