"""Servers and models of the benchmarks. All of them are marked, so that the default tests leave them out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.demo.broker import LocalBroker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker("benchmark")


@pytest.fixture(scope="session")
def broker() -> Iterator[LocalBroker]:
    with LocalBroker() as running:
        yield running
