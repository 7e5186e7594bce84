"""The databases that every suite about facts runs on, and Kafka itself, for what no stand-in does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon.ledger.database import connect
from daemon.ledger.tables import metadata
from registry.tables import metadata as registry_metadata
from tests.servers.brokers import KAFKA_ITSELF, Cluster, running
from tests.servers.postgres_server import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database() as url:
        yield url


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """An empty ledger, with the registry's tables in it."""
    made = connect(database)
    metadata.create_all(made)
    registry_metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture(scope="module", params=KAFKA_ITSELF)
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Apache Kafka. Suites that run on other brokers, too, have a fixture of their own."""
    with running(request) as found:
        yield found
