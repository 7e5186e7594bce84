"""A real broker for all integration tests; each makes topics of its own."""

import itertools
from collections.abc import Iterator

import pytest

from daemon.demo.broker import LocalBroker

_numbers = itertools.count()


@pytest.fixture(scope="session")
def broker() -> Iterator[LocalBroker]:
    with LocalBroker() as running:
        yield running


@pytest.fixture
def topic() -> str:
    """A name that no other test uses."""
    return f"topic-{next(_numbers)}"
