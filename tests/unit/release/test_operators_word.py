"""What operators said binds the stage that releases."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from daemon.release.orders import DecideOrder, give_order, reject_version
from daemon.release.promotion import promote_version, roll_back_version
from registry import ordering
from registry.names import VersionName
from registry.sql import SqlStore
from registry.transitions import ReasonMissing
from registry.types import GateVerdict, Promotion
from tests.factories.ledger import NOW
from tests.unit.release.test_stage import ADA, LINE, World, a_version
from tests.unit.telemetry.test_metrics import series

V1, V2 = VersionName(LINE, 1), VersionName(LINE, 2)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def order(world: World, decide: DecideOrder, reason: str = "the audit") -> None:
    give_order(world.stores, LINE, decide, reason=reason, by=ADA, clock=lambda: NOW)


def roll_back(world: World) -> None:
    roll_back_version(
        world.stores, model_line=LINE, to=None, reason="wrong refunds", by=ADA, clock=lambda: NOW
    )


def finish_run_on(world: World, parent: VersionName, number: int = 2) -> None:
    """A run that continued from a version, and what came of it."""
    decided = world.stores.runs.run("r1")
    assert decided is not None
    world.runs.start(replace(decided, id=f"r{number}"))
    version = a_version(number)
    world.store.add_version(replace(version, lineage=replace(version.lineage, parent=parent)))


def test_a_candidate_that_passed_waits_while_promotion_is_held(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    order(world, ordering.hold)
    world.finish_run()

    world.turn(9)

    assert (world.live, world.reports(1)[0].verdict) == (0, GateVerdict.PROMOTE)
    assert (
        caplog.text.count("chat-v1 passed the gate and is not promoted: automatic promotion is held by ada")
        == 1
    )
    assert world.stage.read_pending_work() is None


def test_it_goes_live_at_the_next_turn_after_the_hold_has_ended(world: World) -> None:
    order(world, ordering.hold)
    world.finish_run()
    world.turn()
    order(world, ordering.unhold)

    world.turn(1)

    assert world.live == 1


def test_a_hold_that_was_given_while_no_daemon_ran_binds_the_next_one(world: World) -> None:
    world.finish_run()
    order(world, ordering.hold)
    world.stage = world.start(world.settings)

    world.turn()

    assert world.live == 0


def test_a_hold_between_the_stages_reading_and_writing_is_obeyed(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    class Hurried(SqlStore):
        """A store in which an operator holds promotion just before the daemon's entry is written."""

        def append(self, entry: Promotion, *, expected: int, orders: int | None = None) -> None:
            order(world, ordering.hold)
            super().append(entry, expected=expected, orders=orders)

    world.stores = replace(world.stores, versions=Hurried(world.engine))
    world.stage = world.start(world.settings)
    world.finish_run()

    world.turn(6)

    assert world.live == 0
    assert caplog.text.count("chat-v1 stays a candidate") == 1


def test_a_rejected_candidate_is_not_judged(world: World) -> None:
    world.finish_run()
    reject_version(world.stores, V1, reason="rude", by=ADA, clock=lambda: NOW)

    world.turn()

    assert (world.live, world.reports(1), world.scorer.scored) == (0, [], [])
    assert world.stage.read_pending_work() is None


def test_a_candidate_that_is_rejected_during_its_comparison_stays_out(world: World) -> None:
    world.finish_run()
    world.turn(1)
    assert world.stage.comparing

    reject_version(world.stores, V1, reason="rude", by=ADA, clock=lambda: NOW)
    world.turn()

    assert world.live == 0


def test_the_version_of_a_run_that_finished_although_it_was_cancelled_stays_out(world: World) -> None:
    world.finish_run()
    order(world, partial(ordering.cancel, run="r1"))

    world.turn()

    assert (world.live, world.reports(1)) == (0, [])


def test_a_version_trained_on_one_that_was_rolled_back_never_goes_live_by_itself(world: World) -> None:
    """As it happened: v1 rolled back while r2, trained on it, ran; 44 s later the daemon put v2 live."""
    world.finish_run()
    world.turn()
    roll_back(world)
    finish_run_on(world, V1)

    world.turn()
    order(world, ordering.unhold)
    world.turn()

    assert (world.live, world.reports(2)[0].verdict) == (0, GateVerdict.PROMOTE)
    assert world.stage.read_pending_work() is None


def test_a_person_puts_it_live_with_a_reason(world: World) -> None:
    world.finish_run()
    world.turn()
    roll_back(world)
    finish_run_on(world, V1)
    world.turn()

    promote = partial(promote_version, world.stores, V2, force=False, by=ADA, clock=lambda: NOW)
    with pytest.raises(ReasonMissing):
        promote(reason="")
    promote(reason="the refunds are right in v2")

    assert world.live == 2


def test_after_a_rollback_no_other_version_goes_live_by_itself_until_the_hold_has_ended(world: World) -> None:
    world.finish_run()
    world.turn()
    roll_back(world)
    finish_run_on(world, VersionName(LINE, 0))
    world.turn()
    assert world.live == 0

    order(world, ordering.unhold)
    world.turn(1)

    assert world.live == 2


def test_what_is_held_is_a_metric(world: World) -> None:
    world.turn(1)
    assert series(world.metrics, "retuned_held") == {"promotion": 0.0, "training": 0.0}

    order(world, ordering.hold)
    order(world, ordering.pause)
    world.turn(1)

    assert series(world.metrics, "retuned_held") == {"promotion": 1.0, "training": 1.0}
