"""A real broker for all integration tests; each makes topics of its own."""

import itertools
from collections.abc import Iterator

import pytest

from tests.servers.brokers import Broker, shared_broker

_numbers = itertools.count()


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with shared_broker(request) as running:
        yield running


@pytest.fixture
def topic() -> str:
    """A name that no other test uses."""
    return f"topic-{next(_numbers)}"
