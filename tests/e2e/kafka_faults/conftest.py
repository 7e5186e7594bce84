"""Clusters to harm, and the table of what came of it."""

from collections.abc import Iterator

import pytest

from tests.e2e.kafka_faults.trial import HEADING, PROPERTY
from tests.servers.apache_kafka import VERSION, ApacheKafka


@pytest.fixture
def one_broker() -> Iterator[ApacheKafka]:
    with ApacheKafka() as cluster:
        yield cluster


@pytest.fixture
def three_brokers() -> Iterator[ApacheKafka]:
    with ApacheKafka(nodes=3) as cluster:
        yield cluster


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line for each fault that was tried."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    lines = [value for report in reports for name, value in report.user_properties if name == PROPERTY]
    if lines:
        terminalreporter.section(f"faults of Apache Kafka {VERSION}")
        for line in (HEADING, *lines):
            terminalreporter.write_line(str(line))
