from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from registry import ordering
from registry.history import History
from registry.names import VersionName
from registry.ordering import AlreadyOrdered, IsBase, IsLive, NotHeld, NotPaused
from registry.orders import Order, OrderKind, OrderLog
from registry.transitions import OtherLine, ReasonMissing
from tests.factories.registry import LINE, NOW, OPERATOR, a_history, a_step, grown, v

EMPTY = OrderLog(model_line=LINE)
HISTORY = a_history("0", "1")


def decided(
    decide: Callable[..., Order], history: History = HISTORY, orders: OrderLog = EMPTY, reason: str = "维护"
) -> Order:
    return decide(history, orders, reason=reason, by=OPERATOR, now=NOW)


def after(*decisions: Callable[..., Order], history: History = HISTORY) -> OrderLog:
    """The log after these orders."""
    log = EMPTY
    for decide in decisions:
        log = replace(log, orders=(*log.orders, decided(decide, history, log)))
    return log


CANCEL = partial(ordering.cancel, run="r7")
REJECT = partial(ordering.reject, version=v(2))


@pytest.mark.parametrize(
    ("decide", "kind", "subject"),
    [
        (ordering.hold, OrderKind.HOLD, None),
        (ordering.pause, OrderKind.PAUSE, None),
        (CANCEL, OrderKind.CANCEL, "r7"),
        (REJECT, OrderKind.REJECT, "support-bot-v2"),
    ],
)
def test_an_order_has_its_giver_reason_time_and_what_was_seen(
    decide: Callable[..., Order], kind: OrderKind, subject: str | None
) -> None:
    assert decided(decide) == Order(
        model_line=LINE, number=1, kind=kind, subject=subject, reason="维护", by=OPERATOR, at=NOW, promotions=2
    )  # fmt: skip


@pytest.mark.parametrize("decide", [ordering.hold, ordering.pause, CANCEL, REJECT])
def test_an_order_that_stands_is_not_given_again_and_its_giver_is_named(decide: Callable[..., Order]) -> None:
    with pytest.raises(AlreadyOrdered, match="by 张伟: 维护"):
        decided(decide, orders=after(decide))


@pytest.mark.parametrize(
    ("begin", "end"), [(ordering.hold, ordering.unhold), (ordering.pause, ordering.resume)]
)
def test_a_restriction_ends_and_can_begin_again(
    begin: Callable[..., Order], end: Callable[..., Order]
) -> None:
    assert decided(begin, orders=after(begin, end)).number == 3


def test_a_rollback_holds_already() -> None:
    with pytest.raises(AlreadyOrdered):
        decided(ordering.hold, history=a_history("0", "1", "back"))


def test_the_hold_of_a_rollback_can_be_ended() -> None:
    history = a_history("0", "1", "back")

    assert decided(ordering.unhold, history=history).promotions == 3


def test_what_is_not_held_or_paused_can_not_go_on() -> None:
    with pytest.raises(NotHeld):
        decided(ordering.unhold)
    with pytest.raises(NotPaused, match="retuned intake resume"):
        decided(ordering.resume)


@pytest.mark.parametrize("decide", [ordering.hold, ordering.pause, CANCEL, REJECT])
@pytest.mark.parametrize("reason", ["", " \n"])
def test_an_order_needs_a_reason(decide: Callable[..., Order], reason: str) -> None:
    with pytest.raises(ReasonMissing):
        decided(decide, reason=reason)


def test_the_live_version_is_not_rejected_but_rolled_back() -> None:
    with pytest.raises(IsLive, match="retuned rollback --expect v1 -m"):
        decided(partial(ordering.reject, version=v(1)))


def test_the_base_is_not_rejected() -> None:
    with pytest.raises(IsBase):
        decided(partial(ordering.reject, version=v(0)))


def test_a_version_of_another_line_is_not_rejected() -> None:
    with pytest.raises(OtherLine):
        decided(partial(ordering.reject, version=VersionName("other", 2)))


def test_a_rejection_that_a_person_overruled_can_be_given_again() -> None:
    history = grown(HISTORY, replace(a_step(HISTORY, "2"), by=OPERATOR))
    history = grown(history, a_step(history, "5"))

    assert decided(REJECT, history=history, orders=after(REJECT)).number == 2
