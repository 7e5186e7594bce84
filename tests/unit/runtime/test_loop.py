from threading import Event

import pytest

from daemon.http.health import Health
from daemon.runtime.ledger_outage import LedgerOutage
from daemon.runtime.loop import Loop
from daemon.runtime.problems import Problems
from daemon.telemetry.metrics import Metrics


class Recorded:
    """A stage that writes down what happens to it."""

    def __init__(self, name: str, diary: list[str], *, stop: Event | None = None, fails: str = "") -> None:
        self._name, self._diary, self._stop, self._fails = name, diary, stop, fails

    @property
    def name(self) -> str:
        return self._name

    def step(self) -> None:
        self._diary.append(f"{self._name} step")
        if self._fails == "step":
            raise RuntimeError("step")
        if self._stop is not None:
            self._stop.set()

    def close(self, timeout_s: float) -> None:
        self._diary.append(f"{self._name} close")
        if self._fails == "close":
            raise RuntimeError("close")


def loop_of(*stages: Recorded, stop: Event) -> Loop:
    metrics = Metrics()
    outage = LedgerOutage(
        Problems(Health(clock=lambda: 0.0), metrics),
        reset=[],
        probe=lambda: None,
        clock=lambda: 0.0,
        wait=stop.wait,
    )
    return Loop(
        stages,
        stop=stop,
        beat=lambda: None,
        reload=lambda: None,
        outage=outage,
        metrics=metrics,
        close_within_s=1,
    )


def test_stages_step_in_order_and_close_in_reverse() -> None:
    diary: list[str] = []
    stop = Event()
    loop_of(Recorded("a", diary), Recorded("b", diary, stop=stop), stop=stop).run()

    assert diary == ["a step", "b step", "b close", "a close"]


def test_no_stage_steps_after_the_stop() -> None:
    diary: list[str] = []
    stop = Event()
    loop_of(Recorded("a", diary, stop=stop), Recorded("b", diary), stop=stop).run()

    assert "b step" not in diary


def test_an_error_nobody_expected_ends_the_loop_and_still_closes_all() -> None:
    diary: list[str] = []
    stages = Recorded("a", diary), Recorded("b", diary, fails="step")

    with pytest.raises(RuntimeError, match="step"):
        loop_of(*stages, stop=Event()).run()

    assert diary[-2:] == ["b close", "a close"]


def test_one_stage_that_fails_to_close_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    diary: list[str] = []
    stop = Event()
    loop_of(Recorded("a", diary, stop=stop), Recorded("b", diary, fails="close"), stop=stop).run()

    assert diary[-2:] == ["b close", "a close"]
    assert "closing b failed" in caplog.text
