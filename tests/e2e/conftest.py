"""The servers of the end-to-end tests."""

from collections.abc import Iterator

import pytest

from daemon.broker import LocalBroker


@pytest.fixture(scope="session")
def broker() -> Iterator[LocalBroker]:
    with LocalBroker() as running:
        yield running
