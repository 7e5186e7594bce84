"""No test may leave anything running."""

import sys
import threading
import time
from collections.abc import Iterator, Mapping

import psutil
import pytest

from tests.servers.apache_kafka import ApacheKafka
from tests.servers.postgres_server import PostgresServer, running_postgres
from tests.support.reading import nothing_of_the_client_left

#: Started by multiprocessing at its first use, and meant to live as long as the interpreter.
_LASTS = "multiprocessing.resource_tracker"
_GRACE_S = 3.0


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    """Fail the test that leaves a non-daemon thread, a child process or a listening socket behind.

    What fixtures of a wider scope hold was there before, and is no leak of the test.
    """
    before = _running()
    yield
    end = time.monotonic() + _GRACE_S
    while (left := _running().keys() - before) and time.monotonic() < end:
        time.sleep(0.01)  # what was told to end may need a moment
    if left:
        pytest.fail("the test left running: " + ", ".join(sorted(_running().get(key, key) for key in left)))


@pytest.fixture
def clients_are_gone() -> Iterator[None]:
    """Fail the test that leaves a Kafka client behind."""
    with nothing_of_the_client_left():
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """PostgreSQL, started once for all tests that ask for it."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def apache_kafka() -> Iterator[ApacheKafka]:
    """One node of Apache Kafka, started once for all tests that ask for it."""
    with ApacheKafka() as broker:
        yield broker


@pytest.fixture(autouse=True)
def arithmetic_is_as_before() -> Iterator[None]:
    """Take back what a training does to this process: it has the processor treat the smallest numbers as zero."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


def _running() -> Mapping[str, str]:
    """Everything that could leak, with a description."""
    return {**_threads(), **_children(), **_listeners()}


def _threads() -> Mapping[str, str]:
    return {
        f"thread {thread.ident}": f"thread {thread.name!r}"
        for thread in threading.enumerate()
        if not thread.daemon
    }


def _children() -> Mapping[str, str]:
    found = {}
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline())
        except psutil.ZombieProcess:
            command = "(ended, but nobody waited for it)"
        except psutil.NoSuchProcess:
            continue
        if _LASTS not in command:
            found[f"child {child.pid}"] = f"child {child.pid} {command}"
    return found


def _listeners() -> Mapping[str, str]:
    return {
        f"listener {connection.laddr}": f"listener on {connection.laddr.ip}:{connection.laddr.port}"
        for connection in psutil.Process().net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
