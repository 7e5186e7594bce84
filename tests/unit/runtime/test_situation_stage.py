"""What is going on is shown by a gauge, and logged when it changes."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from daemon.domain.situation import (
    Answer,
    AnswerFate,
    OpenChange,
    Situation,
    SituationFacts,
    SituationState,
    situation_of,
)
from daemon.runtime.situation_stage import SituationStage
from daemon.telemetry.metrics import Metrics

COLLECTING = situation_of(SituationFacts(collecting="has 3 of 50 conversations"))
UNRESOLVED = situation_of(
    SituationFacts(
        change=OpenChange(window=2, newest_window=2, quiet=0, dropped=False, ended=False),
        answer=Answer(run="r1", fate=AnswerFate.REJECTED, version="chat-v1", short="v1", reason="worse"),
    )
)


class World:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 30, tzinfo=UTC)
        self.situation: Situation = COLLECTING
        self.reads = 0
        self.metrics = Metrics()
        self.stage = SituationStage(self.read, metrics=self.metrics, clock=lambda: self.now)

    def read(self) -> Situation:
        self.reads += 1
        return self.situation

    def turn(self, *, after_s: float) -> None:
        self.now += timedelta(seconds=after_s)
        self.stage.step()

    def shown(self) -> list[str]:
        rows = self.metrics.exposition("")[1].decode().splitlines()
        return [row for row in rows if row.startswith("retuned_situation{")]


@pytest.fixture
def world() -> World:
    return World()


def test_one_state_is_1_and_the_others_are_0(world: World) -> None:
    world.turn(after_s=0)

    assert len(world.shown()) == len(SituationState)
    assert [row for row in world.shown() if row.endswith(" 1.0")] == [
        'retuned_situation{state="no_reference"} 1.0'
    ]


def test_the_ledger_is_read_every_five_seconds_not_at_every_turn(world: World) -> None:
    for _ in range(22):
        world.turn(after_s=0.5)

    assert world.reads == 3


def test_a_new_state_is_logged_once_and_what_needs_people_as_a_warning(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.turn(after_s=0)
    world.turn(after_s=6)
    world.situation = UNRESOLVED
    world.turn(after_s=6)
    world.turn(after_s=6)

    assert [(record.levelname, record.message.split(":")[0]) for record in caplog.records] == [
        ("INFO", "no window is compared yet"),
        ("WARNING", "the change since window 2 is still there"),
    ]


def test_who_does_not_lead_shows_no_state(world: World) -> None:
    world.turn(after_s=0)

    world.stage.close(1)

    assert world.shown() == []
