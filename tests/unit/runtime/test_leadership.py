from collections.abc import Sequence

import pytest

from daemon.domain.errors import StaleLeader
from daemon.domain.problems import ProblemKind
from daemon.runtime.leadership import LeaderRuntime, LeadershipStage
from daemon.telemetry.metrics import Metrics


class Votes:
    """Says in turn under which number this replica leads."""

    def __init__(self, numbers: Sequence[int | None]) -> None:
        self.numbers = list(numbers)
        self.events: list[str] = []

    def acquire_or_renew(self) -> int | None:
        return self.numbers.pop(0)

    def lost(self) -> None:
        self.events.append("lost")

    def release(self) -> None:
        self.events.append("release")


class Part:
    """A stage of the leader that writes down what is done with it."""

    name = "part"

    def __init__(self, fence: int, events: list[str]) -> None:
        self.fence = fence
        self.events = events
        self.stale = False

    def step(self) -> None:
        if self.stale:
            raise StaleLeader("another replica leads")
        self.events.append(f"step {self.fence}")

    def close(self, timeout_s: float) -> None:
        self.events.append(f"close {self.fence}")


class Bench:
    def __init__(self, *numbers: int | None) -> None:
        self.votes = Votes(numbers)
        self.parts: list[Part] = []
        self.metrics = Metrics()
        self.start_error: Exception | None = None
        self.stage = LeadershipStage(self.votes, self.build, metrics=self.metrics)

    def start(self) -> None:
        self.votes.events.append("start")
        if self.start_error is not None:
            raise self.start_error

    def build(self, fence: int) -> LeaderRuntime:
        self.parts.append(Part(fence, self.votes.events))
        return LeaderRuntime(
            stages=self.parts[-1:],
            start=self.start,
            children={"judge": lambda: 42},
            problems={ProblemKind.SCORER_DOWN: lambda: "the scorer is not running"},
        )


def test_a_follower_turns_nothing_and_has_no_problem() -> None:
    bench = Bench(None)
    bench.stage.step()

    assert bench.votes.events == []
    assert bench.stage.problem(ProblemKind.SCORER_DOWN) is None
    assert bench.stage.pid("judge") is None


def test_a_leader_turns_its_stages_and_has_their_problem() -> None:
    bench = Bench(1, 1)
    bench.stage.step()
    bench.stage.step()

    assert bench.votes.events == ["start", "step 1", "step 1"]
    assert bench.stage.problem(ProblemKind.SCORER_DOWN) == "the scorer is not running"
    assert bench.stage.pid("judge") == 42


def test_a_leader_that_lost_the_lease_closes_its_stages() -> None:
    bench = Bench(1, None)
    bench.stage.step()
    bench.stage.step()

    assert bench.votes.events == ["start", "step 1", "close 1"]
    assert bench.stage.pid("judge") is None


def test_a_leader_whose_write_is_refused_goes_on_as_a_follower() -> None:
    bench = Bench(1, 1, None, 3)
    bench.stage.step()
    bench.parts[0].stale = True
    bench.stage.step()

    assert bench.votes.events == ["start", "step 1", "lost", "close 1"]
    bench.stage.step()
    bench.stage.step()
    assert bench.votes.events[4:] == ["start", "step 3"]


def test_a_leader_without_its_ledger_steps_down_and_acquires_the_lease_anew() -> None:
    bench = Bench(1, 2)
    bench.stage.step()

    bench.stage.reset()
    bench.stage.reset()

    assert bench.votes.events == ["start", "step 1", "lost", "close 1", "lost"]
    assert bench.stage.problem(ProblemKind.SCORER_DOWN) is None
    bench.stage.step()
    assert bench.votes.events[5:] == ["start", "step 2"]


def test_the_stages_are_closed_before_the_lease_is_given_back() -> None:
    bench = Bench(1)
    bench.stage.step()

    bench.stage.close(5)

    assert bench.votes.events == ["start", "step 1", "close 1", "release"]


@pytest.mark.parametrize(("numbers", "leads", "fence"), [((3,), 1, 3), ((3, None), 0, 0)])
def test_the_metrics_say_who_leads(numbers: tuple[int | None, ...], leads: int, fence: int) -> None:
    bench = Bench(*numbers)
    for _ in numbers:
        bench.stage.step()

    shown = bench.metrics.exposition("")[1].decode().splitlines()
    assert f"retuned_leader {leads}.0" in shown
    assert f"retuned_leader_fence {fence}.0" in shown


def test_a_leader_that_is_replaced_before_it_has_started_closes_its_stages() -> None:
    bench = Bench(1, 3)
    bench.start_error = StaleLeader("another replica leads")
    bench.stage.step()
    assert bench.votes.events == ["start", "lost", "close 1"]

    bench.start_error = None
    bench.stage.step()

    assert bench.votes.events[3:] == ["start", "step 3"]


def test_taking_over_and_losing_the_lease_are_logged_with_the_fencing_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    bench = Bench(3, None)
    bench.stage.step()
    bench.stage.step()

    messages = [record.getMessage() for record in caplog.records]
    assert messages[0] == "acquired leadership (fencing token 3)"
    assert messages[1] == "lost leadership (fencing token 3)"
