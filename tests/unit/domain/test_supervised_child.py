from datetime import UTC, datetime, timedelta

import pytest

from daemon.domain.backoff import Backoff
from daemon.domain.supervised_child import SupervisedChild


class FakeChild:
    """Lives until it is stopped or killed."""

    def __init__(self, pid: int) -> None:
        self.alive = True
        self.pid: int | None = pid
        self.stopped_within: list[float] = []

    def stop(self, timeout_s: float) -> None:
        self.alive = False
        self.stopped_within.append(timeout_s)


class Bench:
    """A supervised child and its clock."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.children: list[FakeChild] = []
        self.pauses: list[float] = []
        self.restarts = 0
        self.backoff = Backoff(10, 40)
        self.supervised = SupervisedChild(
            self.launch,
            on_death=self.pauses.append,
            on_restart=self.restarted,
            backoff=self.backoff,
            clock=lambda: self.now,
        )

    def launch(self) -> FakeChild:
        self.children.append(FakeChild(pid=len(self.children)))
        return self.children[-1]

    def restarted(self) -> None:
        self.restarts += 1

    def after(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.supervised.supervise()

    def die(self) -> None:
        self.children[-1].alive = False
        self.supervised.supervise()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_nothing_is_launched_before_start(bench: Bench) -> None:
    bench.after(100)

    assert bench.children == []
    assert (bench.supervised.alive, bench.supervised.pid) == (False, None)
    with pytest.raises(RuntimeError, match="before start"):
        _ = bench.supervised.child


def test_a_child_that_lives_is_left_alone(bench: Bench) -> None:
    bench.supervised.start()
    bench.after(100)

    assert bench.supervised.child is bench.children[0]
    assert (len(bench.children), bench.restarts, bench.pauses) == (1, 0, [])


def test_a_child_that_died_is_replaced_after_the_pause(bench: Bench) -> None:
    bench.supervised.start()
    bench.die()

    bench.after(9.9)
    assert (len(bench.children), bench.restarts, bench.pauses) == (1, 0, [10])
    bench.after(0.1)

    assert (len(bench.children), bench.restarts) == (2, 1)
    assert bench.supervised.child is bench.children[1]
    assert bench.supervised.alive
    assert bench.children[0].stopped_within == [1]  # reaped


def test_pauses_grow_until_the_child_proves_itself(bench: Bench) -> None:
    bench.supervised.start()
    for _ in range(4):
        bench.die()
        bench.after(40)
    bench.backoff.reset()
    bench.die()

    assert bench.pauses == [10, 20, 40, 40, 10]


def test_a_discarded_child_is_replaced_like_one_that_died(bench: Bench) -> None:
    bench.supervised.start()
    bench.supervised.discard()
    bench.after(0)
    bench.after(10)

    assert bench.pauses == [10]
    assert bench.supervised.pid == 1


def test_a_closed_child_is_not_started_again(bench: Bench) -> None:
    bench.supervised.start()
    bench.supervised.close(3)
    bench.after(100)
    bench.after(100)

    assert bench.children[0].stopped_within == [3]
    assert len(bench.children) == 1
    assert not bench.supervised.alive


def test_closing_what_was_never_started_does_nothing(bench: Bench) -> None:
    bench.supervised.discard()
    bench.supervised.close(1)

    assert bench.children == []
