"""A model line, the operator who answers for it, and its topic in memory."""

from pathlib import Path

import pytest

from daemon.http.probe import DaemonHealth
from tests.factories.daemon import Line, a_line
from tests.factories.ledger import TOPIC
from tests.fakes.kafka import FakeBroker
from tests.remedies.operator import Operator


@pytest.fixture(autouse=True)
def healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that runs and is ready, unless a test says otherwise."""
    ready = DaemonHealth(url="http://127.0.0.1:9464", running=True, ready=True)
    monkeypatch.setattr("daemon.http.probe.probe", lambda _, **__: ready)


@pytest.fixture(autouse=True)
def no_broker_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor leaves the broker out: none is there, and the checks of it would wait."""
    monkeypatch.setattr("daemon.cli.doctor.broker.check_stream", lambda *_, **__: ())


@pytest.fixture(autouse=True)
def nobody_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The streams of these tests ended days ago, which status would name in each."""
    monkeypatch.setattr("daemon.views.faults.concerns_of", lambda *_: ())


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


@pytest.fixture
def operator(line: Line) -> Operator:
    return Operator(line)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> FakeBroker:
    """A topic of four partitions. The first has the records that the line has read, and some more."""
    made = FakeBroker(partitions=4)
    made.serve(monkeypatch, TOPIC)
    return made
