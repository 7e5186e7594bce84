"""What alerts watch is read from the ledger, so that it survives restarts and new leaders."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from daemon.domain.runs import RunState
from daemon.ledger.line_facts import LineFacts
from daemon.runtime.line_facts_stage import LineFactsStage
from daemon.telemetry.exposition import read_samples
from daemon.telemetry.metrics import Metrics
from registry.types import PromotionKind

NOW = datetime(2026, 11, 30, tzinfo=UTC)
NOTHING = LineFacts(
    last_conversation=None, last_feedback=None, ceiling_ratio=0.0, last_run=None, live_since=None, gate_open_since=None
)  # fmt: skip
ALL = LineFacts(
    last_conversation=NOW - timedelta(seconds=1),
    last_feedback=NOW - timedelta(seconds=2),
    ceiling_ratio=0.25,
    last_run=RunState.FAILED,
    live_since=(PromotionKind.ROLLBACK, NOW - timedelta(seconds=3)),
    gate_open_since=NOW - timedelta(seconds=4),
)
AGE = {
    "retuned_last_conversation_timestamp_seconds": 1,
    "retuned_last_feedback_timestamp_seconds": 2,
    "retuned_live_since_timestamp_seconds": 3,
    "retuned_gate_open_since_timestamp_seconds": 4,
}


class World:
    def __init__(self) -> None:
        self.now, self.facts, self.alive = NOW, NOTHING, True
        self.metrics = Metrics()
        self.stage = LineFactsStage(
            lambda: self.facts,
            alive={"scorer": lambda: self.alive},
            metrics=self.metrics,
            clock=lambda: self.now,
        )

    def turn(self, *, after_s: float = 15) -> None:
        self.now += timedelta(seconds=after_s)
        self.stage.step()

    def shown(self, name: str) -> dict[tuple[str, ...], float]:
        found = read_samples(self.metrics.exposition("")[1].decode(), name)
        return {tuple(sample.labels.values()): sample.value for sample in found}


@pytest.fixture
def world() -> World:
    return World()


def test_what_there_is_not_yet_is_absent(world: World) -> None:
    world.turn()

    assert [world.shown(name) for name in (*AGE, "retuned_last_run")] == [{}] * 5
    assert world.shown("retuned_dead_letter_ceiling_ratio") == {(): 0.0}


def test_facts_are_shown_as_times(world: World) -> None:
    world.facts = ALL
    world.turn()

    for name, age in AGE.items():
        assert list(world.shown(name).values()) == [NOW.timestamp() - age]
    assert world.shown("retuned_live_since_timestamp_seconds").keys() == {("rollback",)}
    assert world.shown("retuned_last_run") == {("finished",): 0, ("failed",): 1, ("cancelled",): 0}


def test_a_decision_of_the_gate_ends_the_wait(world: World) -> None:
    world.facts = ALL
    world.turn()
    world.facts = replace(ALL, gate_open_since=None)
    world.turn()

    assert world.shown("retuned_gate_open_since_timestamp_seconds") == {}


def test_a_child_that_died_shows_at_the_next_turn(world: World) -> None:
    world.turn()
    assert world.shown("retuned_child_up") == {("scorer",): 1}

    world.alive = False
    world.turn(after_s=0.2)

    assert world.shown("retuned_child_up") == {("scorer",): 0}


def test_a_follower_shows_none_of_it(world: World) -> None:
    world.facts = ALL
    world.turn()
    world.stage.close(1.0)

    names = (*AGE, "retuned_last_run", "retuned_child_up", "retuned_dead_letter_ceiling_ratio")
    assert [world.shown(name) for name in names] == [{}] * 7
