"""What operators said binds the stage that trains."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from daemon.domain.runs import RunState
from daemon.training.planned_run import PlannedRun
from daemon.training.protocols import Check
from learners.types import Failure
from registry import ordering
from registry.names import VersionName
from registry.transitions import bootstrap, promote, roll_back
from registry.types import Actor
from tests.factories.ledger import NOW
from tests.unit.release.test_stage import a_version
from tests.unit.training.test_train_stage import World as TrainingWorld
from tests.unit.training.test_train_stage import a_result

LINE = "chat"
ADA = Actor(kind="operator", name="ada")
V0, V1, V2 = (VersionName(LINE, number) for number in range(3))


class World(TrainingWorld):
    """Version 1 is live, and runs continue from it."""

    parent: VersionName | None = V1

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.store = self.stores.versions
        for number in (0, 1, 2):
            self.store.add_version(a_version(number))
        self.append(lambda history: bootstrap(history, V0, reason="base", by=ADA, now=NOW))
        self.promote(V1)

    def plan(self, run_id: str, *, since_seq: int, folder: Path, check: Check = lambda: None) -> PlannedRun:
        planned = super().plan(run_id, since_seq=since_seq, folder=folder, check=check)
        return replace(planned, parent=str(self.parent) if self.parent else None)

    def append(self, decide: object) -> None:
        history = self.store.history(LINE)
        self.store.append(decide(history), expected=history.position)  # type: ignore[operator]

    def promote(self, version: VersionName) -> None:
        self.append(lambda h: promote(h, version, gate=None, reason="so", by=ADA, now=NOW, force=True))

    def roll_back(self) -> None:
        self.append(lambda h: roll_back(h, to=None, reason="wrong refunds", by=ADA, now=NOW))

    def order(self, decide: object) -> None:
        history, orders = self.store.history(LINE), self.store.orders(LINE)
        self.store.add_order(decide(history, orders, reason="busy", by=ADA, now=NOW))  # type: ignore[operator]

    def begin(self) -> None:
        self.submit()
        self.stage.step()

    def restart(self) -> None:
        """Another process on the same ledger."""
        self.stage.close(1)
        self.stage = self.start()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def ended(world: World, run: str = "r1") -> tuple[RunState, str | None]:
    return world.run(run).state, world.run(run).error


CANCEL = partial(ordering.cancel, run="r1")
ROLLED_BACK = "cancelled, because it continues from chat-v1: chat-v1 was rolled back by ada: wrong refunds"


def test_a_run_that_is_cancelled_ends_at_the_next_step_with_the_reason(world: World) -> None:
    world.begin()
    world.order(CANCEL)

    world.stage.step()

    assert world.children[0].stopped
    assert ended(world) == (RunState.CANCELLED, "cancelled by ada: busy")
    assert world.stage.pending_work is None


def test_a_run_that_continues_from_what_is_rolled_back_ends(world: World) -> None:
    world.begin()
    world.roll_back()

    world.stage.step()

    assert world.children[0].stopped
    assert ended(world) == (RunState.CANCELLED, ROLLED_BACK)


def test_a_run_that_continues_from_a_descendant_of_what_is_rolled_back_ends(world: World) -> None:
    version = a_version(3)
    world.store.add_version(replace(version, lineage=replace(version.lineage, parent=V1)))
    world.parent = VersionName(LINE, 3)
    world.begin()
    world.roll_back()

    world.stage.step()

    assert world.run("r1").state is RunState.CANCELLED


@pytest.mark.parametrize("parent", [None, V0])
def test_a_run_that_continues_from_another_version_goes_on(world: World, parent: VersionName | None) -> None:
    world.parent = parent
    world.begin()
    world.roll_back()

    world.stage.step()

    assert world.run("r1").state is RunState.RUNNING


def test_a_run_on_a_version_that_another_replaced_goes_on(world: World) -> None:
    world.begin()
    world.promote(V2)

    world.stage.step()

    assert world.run("r1").state is RunState.RUNNING


def test_a_result_that_arrives_with_the_cancellation_is_not_registered(world: World) -> None:
    world.begin()
    world.children[0].says = [a_result("r1")]
    world.order(CANCEL)

    world.stage.step()

    assert (world.registered, world.run("r1").state) == ([], RunState.CANCELLED)


@pytest.mark.parametrize("cause", ["cancel", "roll back"])
def test_a_run_that_was_cancelled_while_no_daemon_ran_is_not_started_again(world: World, cause: str) -> None:
    world.begin()
    world.stage.close(1)
    world.order(CANCEL) if cause == "cancel" else world.roll_back()

    world.stage = world.start()

    assert len(world.children) == 1
    assert world.run("r1").state is RunState.CANCELLED


def test_the_decision_of_a_cancelled_run_does_not_start_another(world: World) -> None:
    world.begin()
    world.order(CANCEL)
    world.stage.step()
    world.stage.step()
    world.restart()
    world.stage.step()

    assert len(world.children) == 1


def test_while_training_is_paused_no_run_starts(world: World) -> None:
    world.order(ordering.pause)
    world.begin()
    assert world.children == []

    world.order(ordering.resume)
    world.stage.step()

    assert world.run("r1").state is RunState.RUNNING


def test_a_pause_suspends_the_run_and_a_resume_continues_it_with_the_same_request(world: World) -> None:
    world.begin()
    world.order(ordering.pause)
    world.stage.step()
    world.stage.step()
    assert (world.children[0].stopped, len(world.children)) == (True, 1)
    assert (world.run("r1").state, world.stage.pid) == (RunState.RUNNING, None)
    assert world.stage.pending_work == "run r1"

    world.order(ordering.resume)
    world.stage.step()

    assert [child.request for child in world.children] == [world.children[0].request] * 2
    assert world.stage.pid is not None


def test_the_end_of_a_child_that_was_stopped_for_a_pause_is_no_end_of_the_run(world: World) -> None:
    world.begin()
    world.children[0].says = [Failure(error="Cancelled", message="asked to stop", permanent=False)]
    world.order(ordering.pause)

    world.stage.step()

    assert world.run("r1").state is RunState.RUNNING


def test_a_run_that_finished_before_the_pause_is_registered(world: World) -> None:
    world.begin()
    world.children[0].says = [a_result("r1")]
    world.order(ordering.pause)

    world.stage.step()

    assert (world.registered, world.run("r1").state) == (["r1"], RunState.FINISHED)


def test_a_pause_outlives_a_restart(world: World) -> None:
    world.begin()
    world.order(ordering.pause)
    world.restart()
    world.stage.step()
    assert len(world.children) == 1

    world.order(ordering.resume)
    world.stage.step()

    assert len(world.children) == 2


def test_a_run_that_is_suspended_can_be_cancelled(world: World) -> None:
    world.begin()
    world.order(ordering.pause)
    world.stage.step()
    world.order(CANCEL)

    world.stage.step()

    assert world.run("r1").state is RunState.CANCELLED
    assert len(world.children) == 1
