from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from daemon.domain.decisions import Action
from daemon.domain.runs import RunState
from daemon.ledger.stores import Stores
from daemon.release.orders import NoSuchRun, cancel_run, give_order, reject_version
from daemon.release.promotion import Overtaken, promote_version, roll_back_version
from registry import ordering
from registry.names import VersionName
from registry.ordering import AlreadyOrdered, NotHeld
from registry.orders import Order, OrderKind
from registry.sql import SqlStore
from registry.store import VersionNotFound
from registry.transitions import Barred, NameTheVersion, NotExpected, ReasonMissing
from registry.types import Actor
from tests.factories.daemon import LINE, Line, a_line

ADA, BOB = Actor(kind="operator", name="ada"), Actor(kind="operator", name="bob")
V0, V1 = VersionName(LINE, 0), VersionName(LINE, 1)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


class Hurried(SqlStore):
    """A store in which bob holds promotion just before another order is added."""

    hurried = False

    def add_order(self, order: Order) -> None:
        if not self.hurried:
            self.hurried = True
            bobs = replace(order, kind=OrderKind.HOLD, subject=None, by=BOB, reason="first")
            super().add_order(bobs)
        super().add_order(order)


def give(line: Line, decide: object, *, stores: Stores | None = None) -> Order:
    return give_order(
        stores or line.stores, LINE, decide, reason="so", by=ADA, clock=line.clock  # type: ignore[arg-type]
    )  # fmt: skip


def back(line: Line, *, to: VersionName | None = None, expect: VersionName | None = None) -> VersionName:
    entry = roll_back_version(
        line.stores, model_line=LINE, to=to, reason="wrong refunds", by=ADA, clock=line.clock, expect=expect
    )
    return entry.version


def test_orders_are_recorded_in_turn(line: Line) -> None:
    for decide in (ordering.hold, ordering.pause, ordering.unhold):
        give(line, decide)

    orders = line.stores.versions.orders(LINE).orders
    assert [(order.number, order.kind, order.by) for order in orders] == [
        (1, OrderKind.HOLD, ADA), (2, OrderKind.PAUSE, ADA), (3, OrderKind.UNHOLD, ADA),
    ]  # fmt: skip


def test_a_restriction_is_given_although_another_order_came_first(line: Line) -> None:
    hurried = replace(line.stores, versions=Hurried(line.stores.engine))

    assert give(line, ordering.pause, stores=hurried).number == 2


def test_a_hold_that_another_gave_first_stands(line: Line) -> None:
    hurried = replace(line.stores, versions=Hurried(line.stores.engine))

    with pytest.raises(AlreadyOrdered, match="by bob: first"):
        give(line, ordering.hold, stores=hurried)


def test_an_unhold_does_not_end_a_hold_that_its_giver_has_not_seen(line: Line) -> None:
    give(line, ordering.hold)
    hurried = replace(line.stores, versions=Hurried(line.stores.engine))

    with pytest.raises(Overtaken, match="meanwhile bob ordered hold: first"):
        give(line, ordering.unhold, stores=hurried)

    assert line.stores.versions.orders(LINE).held is not None


def test_a_refused_order_changes_nothing(line: Line) -> None:
    with pytest.raises(NotHeld):
        give(line, ordering.unhold)

    assert line.stores.versions.orders(LINE).orders == ()


def cancel(line: Line, run: str | None = None) -> Order:
    return cancel_run(line.stores, LINE, run, reason="too slow", by=ADA, clock=line.clock)


@pytest.mark.parametrize("named", [None, "r1"])
def test_the_run_in_progress_is_cancelled_with_or_without_its_name(line: Line, named: str | None) -> None:
    line.start_run(line.drift())

    order = cancel(line, named)

    assert (order.kind, order.subject) == (OrderKind.CANCEL, "r1")
    with pytest.raises(AlreadyOrdered):
        cancel(line)


def test_a_run_that_is_not_in_progress_is_not_cancelled(line: Line) -> None:
    with pytest.raises(NoSuchRun, match="no training is running"):
        cancel(line)
    line.candidate()
    with pytest.raises(NoSuchRun, match="r1 is not running: it is finished; `retuned reject VERSION"):
        cancel(line, "r1")
    line.start_run(line.decide(Action.TRAIN, "again"))
    with pytest.raises(NoSuchRun, match="r9 is not running: there is no such run; r2 is running"):
        cancel(line, "r9")

    assert line.stores.versions.orders(LINE).orders == ()
    run = line.stores.runs.run("r2")
    assert run is not None
    assert run.state is RunState.RUNNING


def test_a_version_that_does_not_exist_is_not_rejected(line: Line) -> None:
    with pytest.raises(VersionNotFound):
        reject_version(line.stores, VersionName(LINE, 7), reason="r", by=ADA, clock=line.clock)


def promote(line: Line, name: VersionName, *, reason: str = "", force: bool = False) -> VersionName:
    entry = promote_version(line.stores, name, reason=reason, force=force, by=ADA, clock=line.clock)
    return entry.version


def test_a_rejected_version_is_promoted_by_force_only(line: Line) -> None:
    name = line.candidate()
    line.gate(name)
    reject_version(line.stores, name, reason="rude", by=BOB, clock=line.clock)

    with pytest.raises(Barred, match="support-bot-v1 was rejected by bob: rude"):
        promote(line, name, reason="it is fine")
    assert promote(line, name, reason="it is fine", force=True) == V1


def test_a_person_promotes_what_was_rolled_back_with_a_reason_of_their_own(line: Line) -> None:
    line.promoted()
    back(line)

    with pytest.raises(ReasonMissing):
        promote(line, V1)
    assert promote(line, V1, reason="the refunds were right") == V1


def test_a_person_promotes_while_promotion_is_held(line: Line) -> None:
    name = line.candidate()
    line.gate(name)
    give(line, ordering.hold)

    assert promote(line, name) == V1


def test_a_promotion_during_which_the_version_is_rejected_is_refused(line: Line) -> None:
    name = line.candidate()
    line.gate(name)

    class Rejecting(SqlStore):
        """A store in which bob rejects the version just before its promotion is written."""

        def append(self, entry: object, *, expected: int, orders: int | None = None) -> None:
            reject_version(line.stores, name, reason="rude", by=BOB, clock=line.clock)
            super().append(entry, expected=expected, orders=orders)  # type: ignore[arg-type]

    stores = replace(line.stores, versions=Rejecting(line.stores.engine))
    with pytest.raises(
        Overtaken, match=r"meanwhile bob ordered reject support-bot-v1 \(rude\), so support-bot-v1 did not"
    ):
        promote_version(stores, name, reason="", force=False, by=ADA, clock=line.clock)

    assert line.stores.versions.history(LINE).live == V0


def test_a_rollback_from_another_version_than_expected_changes_nothing(line: Line) -> None:
    line.promoted()

    with pytest.raises(NotExpected):
        back(line, expect=V0)
    assert line.stores.target.current() == V1
    assert back(line, expect=V1) == V0


def test_a_second_bare_rollback_within_a_minute_changes_nothing(line: Line) -> None:
    line.promoted()
    second = line.finish_run(line.start_run(line.decide(Action.TRAIN, "again"))).name
    line.promote(second, line.gate(second))
    now = line.clock()
    roll = partial(roll_back_version, line.stores, model_line=LINE, reason="bad", by=ADA, clock=lambda: now)
    roll(to=None)

    with pytest.raises(NameTheVersion, match="retuned rollback v0 -m REASON"):
        roll(to=None)
    assert line.stores.target.current() == V1
    assert roll(to=V0).version == V0
