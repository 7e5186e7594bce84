"""A run is planned beside the loop, and a plan that is stale when it is done starts nothing."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.domain.decisions import Action
from daemon.domain.errors import LedgerUnavailable
from daemon.domain.runs import RunState
from daemon.ledger.erasures import Subject
from daemon.ledger.intake import IntakeLedger
from daemon.training.dataset import build_dataset
from daemon.training.planned_run import PlannedRun
from daemon.training.protocols import Check
from registry import ordering
from tests.factories.ledger import a_batch, some_conversations
from tests.fakes.executors import OnDemand
from tests.unit.training.test_operators_word import V2
from tests.unit.training.test_operators_word import World as OrderedWorld


class World(OrderedWorld):
    """The planner works when a test says so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.on_demand = OnDemand()
        self.executor = self.on_demand
        self.stage = self.start()

    def finish_planning(self) -> None:
        self.on_demand.work()
        self.stage.step()

    @property
    def files(self) -> list[str]:
        return [path.name for path in (self.folder / "runs").rglob("*") if path.is_file()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_step_does_not_wait_for_the_plan(world: World) -> None:
    world.begin()
    world.stage.step()
    assert (world.children, world.runs.running()) == ([], None)
    assert world.stage.pending_work == "a training that was decided on"

    world.finish_planning()

    assert world.run("r1").state is RunState.RUNNING
    assert world.stage.pending_work == "run r1"


def test_while_a_plan_is_made_no_other_is(world: World) -> None:
    world.begin()
    for _ in range(3):
        world.stage.step()

    world.finish_planning()

    assert len(world.children) == 1
    assert world.files == ["data.jsonl"]


def test_a_newer_decision_discards_the_plan_and_is_planned(world: World) -> None:
    world.begin()
    world.submit(since=9)
    world.finish_planning()
    assert (world.children, world.files) == ([], [])

    world.stage.step()
    world.finish_planning()

    assert world.run("r1").since_seq == 9


@pytest.mark.parametrize("before", [True, False], ids=["while it is made", "when it is done"])
def test_a_pause_discards_the_plan(world: World, before: bool) -> None:
    world.begin()
    if not before:
        world.on_demand.work()
    world.order(ordering.pause)
    world.stage.step()
    world.finish_planning()
    assert (world.children, world.files) == ([], [])

    world.order(ordering.resume)
    world.stage.step()
    world.finish_planning()

    assert world.run("r1").state is RunState.RUNNING


@pytest.mark.parametrize("change", [World.roll_back, lambda world: world.promote(V2)])
def test_a_plan_whose_parent_may_have_changed_is_made_again(
    world: World, change: Callable[[World], None]
) -> None:
    world.begin()
    world.on_demand.work()
    change(world)
    world.parent = None  # the planner's answer from now on
    world.stage.step()
    assert (world.children, world.files) == ([], [])

    world.stage.step()
    world.finish_planning()

    assert world.run("r1").request["parent"] is None


def test_a_plan_with_what_was_erased_meanwhile_is_made_again_without_it(world: World) -> None:
    world.begin()
    world.on_demand.work()
    erased = world.conversations.newest(1, held_out=False)[0]
    subject = Subject(kind="conversation", id=erased.conversation_id, hash=erased.conversation_hash)
    world.stores.erasures.erase(subject, by="ada", why="asked", now=world.now)
    world.stage.step()
    assert (world.children, world.files) == ([], [])

    world.stage.step()
    world.finish_planning()

    learned = world.runs.training_records("r1")
    assert learned
    assert erased.coordinates not in [record.at for record in learned]


@pytest.mark.parametrize("error", [OSError("no route"), OSError(28, "No space left on device")])
def test_a_failure_to_plan_is_tried_again(world: World, error: Exception) -> None:
    world.plan_error = error
    world.begin()
    world.finish_planning()
    assert world.files == []
    assert world.stage.pending_work == f"a training that was decided on and can't start: {error}"

    world.plan_error = None
    world.now += timedelta(seconds=5)
    world.stage.step()
    world.finish_planning()

    assert world.run("r1").state is RunState.RUNNING


def test_without_data_the_training_is_put_off(world: World) -> None:
    world.submit(since=21)
    world.stage.step()

    world.finish_planning()

    assert world.decisions.recent(1)[0].action is Action.WAIT
    assert world.stage.pending_work is None


@pytest.mark.parametrize("error", [LedgerUnavailable("locked"), ZeroDivisionError()])
def test_what_no_stage_handles_reaches_the_loop_and_the_next_step_plans_again(
    world: World, error: Exception
) -> None:
    world.plan_error = error
    world.begin()
    world.on_demand.work()
    with pytest.raises(type(error)):
        world.stage.step()

    world.plan_error = None
    world.stage.step()
    world.finish_planning()

    assert world.run("r1").state is RunState.RUNNING


def test_a_plan_that_was_done_when_the_daemon_ended_is_made_again_by_the_next(world: World) -> None:
    world.begin()
    world.on_demand.work()
    world.restart()
    assert world.files == []

    world.stage.step()
    world.finish_planning()

    assert world.run("r1").state is RunState.RUNNING


def test_conversations_that_arrive_while_a_run_is_planned_are_left_for_the_next(world: World) -> None:
    until = world.conversations.last_seq()
    IntakeLedger(world.stores.engine, window_size=20).record(a_batch(some_conversations(100, 5)))

    dataset = build_dataset(
        world.conversations, world.settings, since_seq=1, until_seq=until, path=world.folder / "data.jsonl"
    )

    assert dataset.span.last <= until


class Slow:
    """A planner that waits, in a thread, until it is told to go on."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.began, self.go_on = threading.Event(), threading.Event()
        self.end: BaseException | None = None

    def __call__(self, run_id: str, *, since_seq: int, folder: Path, check: Check) -> PlannedRun:
        self.began.set()
        assert self.go_on.wait(30)
        try:
            return self.world.plan(run_id, since_seq=since_seq, folder=folder, check=check)
        except BaseException as error:
            self.end = error
            raise


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield executor


def test_a_daemon_that_ends_does_not_wait_long_and_its_planner_writes_nothing_more(
    world: World, executor: ThreadPoolExecutor
) -> None:
    slow = Slow(world)
    world.planner, world.executor = slow, executor
    world.stage = world.start()
    world.submit()
    world.stage.step()
    assert slow.began.wait(30)

    world.stage.close(0.01)
    slow.go_on.set()
    executor.shutdown()

    assert isinstance(slow.end, CancelledError)
    assert (world.files, world.runs.running()) == ([], None)


def test_a_thread_reads_the_ledger_while_the_loop_writes_it(
    world: World, executor: ThreadPoolExecutor
) -> None:
    slow = Slow(world)
    world.planner, world.executor = slow, executor
    world.stage = world.start()
    world.submit()
    world.stage.step()
    assert slow.began.wait(30)
    IntakeLedger(world.stores.engine, window_size=20).record(a_batch(some_conversations(100, 5)))
    slow.go_on.set()
    executor.shutdown()

    world.stage.step()

    assert world.run("r1").state is RunState.RUNNING
