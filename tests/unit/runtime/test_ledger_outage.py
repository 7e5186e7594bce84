"""How the loop waits for a ledger that can't be used for now, and ends with one that is lost."""

from collections.abc import Callable
from threading import Event

import pytest

from daemon.domain.errors import LedgerError, LedgerLost, LedgerUnavailable
from daemon.http.health import Health
from daemon.runtime.ledger_outage import LedgerOutage
from daemon.runtime.loop import Loop
from daemon.runtime.problems import Problems
from daemon.telemetry.exposition import read_samples
from daemon.telemetry.metrics import Metrics

OUT = LedgerUnavailable("the ledger can't be used now: restarting")


class Bench:
    """A loop of one stage over a ledger that fails as the test says; time passes only while it waits."""

    def __init__(self, fails: Callable[[int], LedgerError | None], *, steps: int) -> None:
        """``fails`` gets the number of the attempt, of a probe or a step; ``steps`` end the loop."""
        self.fails, self.steps = fails, steps
        self.now = 0.0
        self.attempts = 0
        self.diary: list[str] = []
        self.seen: list[dict[str, object]] = []
        self.metrics = Metrics()
        self.health = Health(clock=lambda: self.now, components=())
        self.problems = Problems(self.health, self.metrics)
        self.stop = Event()
        self.outage = LedgerOutage(
            self.problems,
            reset=[lambda: self.diary.append("reset")],
            probe=self.attempt,
            clock=lambda: self.now,
            wait=self.wait,
        )

    name = "stage"

    def run(self) -> None:
        Loop(
            [self], stop=self.stop, beat=self.health.beat, reload=lambda: None, outage=self.outage, metrics=self.metrics,
            close_within_s=1,
        ).run()  # fmt: skip

    def step(self) -> None:
        self.attempt()
        self.diary.append("step")
        if self.diary.count("step") == self.steps:
            self.stop.set()

    def close(self, timeout_s: float) -> None:
        self.seen.append(dict(self.health.ready().body))
        self.diary.append("close")

    def attempt(self) -> None:
        self.attempts += 1
        error = self.fails(self.attempts)
        if error is not None:
            raise error

    def wait(self, seconds: float) -> None:
        self.now += seconds
        assert self.health.live().ok
        self.seen.append(dict(self.health.ready().body))

    def problem(self, kind: str) -> float:
        [value] = [
            sample.value
            for sample in read_samples(self.metrics.exposition("")[1].decode(), "retuned_problem")
            if sample.labels["kind"] == kind
        ]
        return value


def test_an_outage_is_waited_out_and_everything_is_read_again() -> None:
    bench = Bench(lambda attempt: OUT if attempt == 2 else None, steps=3)

    bench.run()

    assert bench.diary == ["step", "reset", "step", "step", "close"]
    problem = bench.seen[0]["problems"]
    assert isinstance(problem, dict)
    assert "restarting" in problem["ledger"]
    assert bench.health.ready().ok
    assert bench.problem("ledger_unreachable") == 0


def test_the_pauses_grow_and_what_is_half_read_is_dropped_each_time() -> None:
    bench = Bench(lambda attempt: OUT if attempt <= 8 else None, steps=1)

    bench.run()

    assert bench.diary == ["reset"] * 8 + ["step", "close"]
    assert 0.5 + 1 + 2 + 4 + 8 + 15 + 15 + 15 <= bench.now <= 65


def test_an_hour_is_waited_for_too_and_said_again_every_ten_minutes(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(lambda _: OUT if bench.now < 3_600 else None, steps=2)

    bench.run()

    warnings = [record.getMessage() for record in caplog.records if "waiting for" in record.getMessage()]
    assert len(warnings) == 1 + 5
    assert warnings[1].startswith("waiting for 10 minutes: the ledger can't be used now: restarting")
    assert "the ledger can be used again after" in caplog.text
    assert bench.problem("ledger_unreachable") == 0


def test_a_stop_ends_the_wait() -> None:
    bench = Bench(lambda _: OUT, steps=1)
    waited = bench.wait

    def wait(seconds: float) -> None:
        waited(seconds)
        bench.stop.set()

    bench.wait = wait  # type: ignore[method-assign]
    bench.outage = LedgerOutage(
        bench.problems, reset=[], probe=bench.attempt, clock=lambda: bench.now, wait=wait
    )

    bench.run()

    assert bench.diary == ["close"]
    assert bench.problem("ledger_unreachable") == 1


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_ledger_that_is_lost_ends_the_loop_and_is_never_called_ready(attempt: int) -> None:
    lost = LedgerLost("the ledger was moved")
    bench = Bench(lambda number: lost if number == attempt else (OUT if number == 1 else None), steps=9)

    with pytest.raises(LedgerLost):
        bench.run()

    assert bench.seen[-1]["status"] == "not ready"
    assert "ledger" in str(bench.seen[-1]["problems"])
    assert bench.problem("ledger_lost") == 1


def test_a_lost_ledger_found_after_an_outage_ends_the_loop() -> None:
    bench = Bench(lambda number: OUT if number == 1 else LedgerLost("another ledger"), steps=9)

    with pytest.raises(LedgerLost):
        bench.run()

    assert bench.diary == ["reset", "close"]
