"""The servers of the end-to-end tests."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon.ledger.database import connect
from tests.servers.brokers import Broker, shared_broker
from tests.servers.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with shared_broker(request) as running:
        yield running


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made in a process of its own, so that no torch stays in this one."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    code = f"from pathlib import Path; from tests.support.tiny_model import make_tiny_model; make_tiny_model(Path({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    return folder


@pytest.fixture
def ledger(postgres: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL ledger, for replicas to share."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def engine(ledger: str) -> Iterator[Engine]:
    """Looks at that ledger from outside."""
    made = connect(ledger)
    yield made
    made.dispose()
