from dataclasses import replace

import pytest

from registry.history import History, rolled_back
from registry.line_logs import LineLogs, read_bar
from registry.orders import Order, OrderKind, OrderLog
from registry.restrictions import Bar, BarCause, Bars, hold_on
from registry.types import Actor
from tests.factories.registry import LINE, NOW, OPERATOR, a_history, a_lineage, a_step, a_version, grown, v
from tests.fakes.registry import MemoryStore

BOB = Actor(kind="operator", name="bob")


def an_order(
    number: int, kind: OrderKind, subject: str | None = None, *, promotions: int = 0, reason: str = "因为"
) -> Order:
    return Order(
        model_line=LINE, number=number, kind=kind, subject=subject, reason=reason, by=BOB, at=NOW, promotions=promotions
    )  # fmt: skip


def a_log(*orders: Order) -> OrderLog:
    return OrderLog(model_line=LINE, orders=orders)


def ordered(*kinds: OrderKind) -> OrderLog:
    return a_log(*(an_order(number, kind) for number, kind in enumerate(kinds, 1)))


NO_ORDERS = a_log()


def promoted_by_operator(history: History, number: int) -> History:
    return grown(history, replace(a_step(history, str(number)), by=OPERATOR))


# Holds


def test_nothing_is_held_at_first() -> None:
    assert hold_on(a_history("0", "1").entries, NO_ORDERS) is None


def test_an_order_holds_with_who_since_when_and_why() -> None:
    hold = hold_on(a_history("0").entries, ordered(OrderKind.HOLD))

    assert hold is not None
    assert (hold.by, hold.since, hold.reason, hold.rolled_back) == (BOB, NOW, "因为", None)


def test_a_hold_ends_with_an_unhold_and_begins_again_with_another() -> None:
    assert hold_on(a_history("0").entries, ordered(OrderKind.HOLD, OrderKind.UNHOLD)) is None
    assert (
        hold_on(a_history("0").entries, ordered(OrderKind.HOLD, OrderKind.UNHOLD, OrderKind.HOLD)) is not None
    )


def test_a_pause_holds_no_promotion_and_a_hold_pauses_no_training() -> None:
    assert hold_on(a_history("0").entries, ordered(OrderKind.PAUSE)) is None
    assert ordered(OrderKind.HOLD).paused is None


def test_training_is_paused_until_it_is_resumed() -> None:
    assert ordered(OrderKind.PAUSE, OrderKind.HOLD).paused is not None
    assert ordered(OrderKind.PAUSE, OrderKind.RESUME).paused is None


def test_a_rollback_holds_and_names_what_it_left() -> None:
    hold = hold_on(a_history("0", "1", "back").entries, NO_ORDERS)

    assert hold is not None
    assert (hold.by, hold.reason, hold.rolled_back) == (OPERATOR, "退款政策错了", v(1))


def test_a_promotion_by_a_person_does_not_end_the_hold() -> None:
    history = promoted_by_operator(a_history("0", "1", "back"), 2)

    assert hold_on(history.entries, NO_ORDERS) is not None


def test_an_unhold_ends_the_hold_of_the_rollbacks_that_its_giver_had_seen() -> None:
    history = a_history("0", "1", "2", "back", "back")

    assert hold_on(history.entries, a_log(an_order(1, OrderKind.UNHOLD, promotions=5))) is None
    assert hold_on(history.entries, a_log(an_order(1, OrderKind.UNHOLD, promotions=4))) is not None


def test_a_rollback_of_before_a_promotion_by_the_daemon_holds_no_more() -> None:
    """A release without holds wrote such logs."""
    assert hold_on(a_history("0", "1", "back", "2").entries, NO_ORDERS) is None


# Rolled-back versions


@pytest.mark.parametrize(
    ("steps", "marked"),
    [
        (("0", "1"), set()),
        (("0", "1", "back"), {1}),
        (("0", "1", "2", "back", "back"), {1, 2}),
        (("0", "1", "2", "3", "back 1"), {2, 3}),
        (("0", "1", "back", "1"), set()),
        (("0", "1", "back", "2"), {1}),
        (("0", "1", "2", "1", "back"), {1}),
    ],
)
def test_a_rollback_marks_what_it_leaves_until_that_is_live_again(
    steps: tuple[str, ...], marked: set[int]
) -> None:
    assert {name.number for name in rolled_back(a_history(*steps).entries)} == marked


def test_the_mark_says_why() -> None:
    assert rolled_back(a_history("0", "1", "back").entries)[v(1)].reason == "退款政策错了"


# Bars. In a_version, each version continues from the one before.


def bar_of(number: int, history: History, orders: OrderLog = NO_ORDERS) -> Bar | None:
    store = MemoryStore()
    for each in range(number + 1):
        store.add_version(a_version(each))
    return read_bar(store, v(number), LineLogs(history=history, orders=orders))


def test_a_new_version_is_not_barred() -> None:
    assert bar_of(2, a_history("0", "1")) is None


def test_a_version_that_was_rolled_back_is_barred_with_who_and_why() -> None:
    bar = bar_of(1, a_history("0", "1", "back"))

    assert bar is not None
    assert (bar.version, bar.cause, bar.by, bar.reason) == (
        v(1), BarCause.ROLLED_BACK, OPERATOR, "退款政策错了",
    )  # fmt: skip
    assert str(bar) == "support-bot-v1 was rolled back by 张伟: 退款政策错了"


@pytest.mark.parametrize("descendant", [2, 3, 7])
def test_descendants_of_a_version_that_was_rolled_back_are_barred(descendant: int) -> None:
    bar = bar_of(descendant, a_history("0", "1", "back"))

    assert bar is not None
    assert bar.version == v(1)


def test_what_continues_from_the_live_version_is_not_barred_by_what_was_rolled_back() -> None:
    assert bar_of(3, promoted_by_operator(a_history("0", "1", "back"), 2)) is None


def test_a_version_that_a_person_put_live_again_bars_nothing() -> None:
    history = promoted_by_operator(a_history("0", "1", "back"), 1)

    assert bar_of(2, history) is None


def test_a_rejected_version_and_its_descendants_are_barred() -> None:
    orders = a_log(an_order(1, OrderKind.REJECT, "support-bot-v1", promotions=1))

    assert {number: bar_of(number, a_history("0"), orders) is not None for number in (1, 2)} == {
        1: True,
        2: True,
    }


def test_a_person_who_puts_a_rejected_version_live_overrules_the_rejection() -> None:
    orders = a_log(an_order(1, OrderKind.REJECT, "support-bot-v1", promotions=1))
    history = promoted_by_operator(promoted_by_operator(a_history("0"), 1), 5)

    assert bar_of(1, history, orders) is None


def test_the_version_of_a_cancelled_run_is_barred() -> None:
    bar = bar_of(2, a_history("0", "1"), a_log(an_order(1, OrderKind.CANCEL, "run-2", promotions=2)))

    assert bar is not None
    assert (bar.version, bar.cause) == (v(2), BarCause.CANCELLED)


def test_what_operators_did_to_a_version_itself_is_told_from_what_they_did_to_an_ancestor() -> None:
    orders = a_log(an_order(1, OrderKind.REJECT, "support-bot-v3", promotions=3))
    bars = Bars(a_history("0", "1", "back").entries, orders)

    found = [bars.own(v(number), f"run-{number}") for number in range(4)]

    assert [bar and bar.cause for bar in found] == [None, BarCause.ROLLED_BACK, None, BarCause.REJECTED]


def test_a_version_of_no_parent_has_no_ancestors_to_bar_it() -> None:
    store = MemoryStore()
    store.add_version(replace(a_version(2), lineage=a_lineage()))

    assert read_bar(store, v(2), LineLogs(history=a_history("0", "1", "back"), orders=NO_ORDERS)) is None


def test_no_version_has_no_bar() -> None:
    assert read_bar(MemoryStore(), None, LineLogs(history=a_history("0"), orders=NO_ORDERS)) is None
