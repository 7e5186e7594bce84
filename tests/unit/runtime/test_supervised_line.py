"""A line that fails is shown and started again, while others would go on."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from daemon.config.settings import Settings
from daemon.domain.errors import LedgerLost
from daemon.runtime import supervised_line
from daemon.runtime.reload_signal import ReloadRequests
from daemon.runtime.settings_reload import ReloadSource
from daemon.runtime.supervised_line import SupervisedLine
from daemon.telemetry.exposition import read_samples
from tests.factories.daemon import LINE, line_settings


class Waits(Event):
    """Tells how long it was waited for, and is set after so many waits."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._most = most

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        if len(self.seconds) == self._most:
            self.set()
        return self.is_set()


class World:
    """A line whose starts do what the test says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings, self.now = line_settings(folder), 0.0
        self.begun: list[Settings] = []
        self.fails: Callable[[], Exception] = lambda: LedgerLost("it is gone")
        monkeypatch.setattr(supervised_line, "load_kafka_settings", lambda _: None)
        monkeypatch.setattr(supervised_line, "open_line", self._open)
        self.again = line_settings(folder, windows={"size": 50, "min_size": 20})
        source = ReloadSource(
            requests=ReloadRequests(), load=lambda: self.again, configure_logging=lambda _: None
        )
        self.line = SupervisedLine(self.settings, source, describe=str, clock=lambda: self.now)

    def _open(self, settings: Settings, **_: Any) -> None:
        self.begun.append(settings)
        raise self.fails()

    def metric(self, name: str, **labels: str) -> float:
        _, text = self.line.metrics.exposition("")
        [value] = [
            sample.value
            for sample in read_samples(text.decode(), name)
            if labels.items() <= sample.labels.items()
        ]
        return value


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_a_line_that_fails_is_started_again_after_longer_and_longer_waits(world: World) -> None:
    stop = Waits(9)

    world.line.run(stop)

    assert stop.seconds == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert world.metric("retuned_line_restarts_total") == 9


def test_a_line_that_ran_for_long_is_started_again_soon(world: World) -> None:
    def fail() -> Exception:
        world.now += 1_000.0
        return OSError("disk")

    world.fails = fail
    stop = Waits(3)

    world.line.run(stop)

    assert stop.seconds == [5, 5, 5]


def test_each_further_start_reads_the_settings_again(world: World) -> None:
    world.line.run(Waits(3))

    assert world.begun == [world.settings, world.again, world.again]


def test_why_it_does_not_run_is_shown(world: World) -> None:
    assert world.line.ready().body["problems"] == {"line": "is being started"}

    world.line.run(Waits(1))

    ready = world.line.ready()
    assert not ready.ok
    assert ready.body["problems"] == {"line": "it is gone (started again 5 s after that)"}
    assert world.line.live().ok
    assert world.line.reports() is None
    assert world.metric("retuned_line_up", model_line=LINE) == 0
    assert world.metric("retuned_problem", kind="ledger_lost") == 1


def test_a_ledger_that_is_there_is_not_called_lost(world: World) -> None:
    world.fails = lambda: OSError("disk")

    world.line.run(Waits(1))

    assert world.metric("retuned_problem", kind="ledger_lost") == 0
