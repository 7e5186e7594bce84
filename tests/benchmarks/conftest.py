"""Servers and models of the benchmarks. All of them are marked, so that the default tests leave them out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import engine, ledger, tiny_model
from tests.servers.apache_kafka import ApacheKafka

__all__ = ["engine", "kafka", "ledger", "tiny_model"]

#: A broker as operators run it, but small: compiled to the full, with room for what the benchmarks write.
_JAVA = ("-Xmx1g", "-XX:+UseSerialGC")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker("benchmark")


@pytest.fixture(scope="session")
def kafka() -> Iterator[ApacheKafka]:
    with ApacheKafka(java_options=_JAVA) as running:
        yield running
