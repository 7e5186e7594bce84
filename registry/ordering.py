"""Decides on orders of operators: pure functions from the logs to the next order, or to a refusal."""

from datetime import datetime

from registry.history import History
from registry.names import VersionName
from registry.orders import Order, OrderKind, OrderLog
from registry.restrictions import Hold, hold_on
from registry.transitions import ReasonMissing, Refused, check_same_line
from registry.types import Actor


class AlreadyOrdered(Refused):
    """The order stands already. Nothing is to do."""

    def __init__(self, in_force: Hold | Order) -> None:
        self.in_force = in_force
        super().__init__(_already(in_force))


class NotHeld(Refused):
    """Automatic promotion is not held."""


class NotPaused(Refused):
    """Training is not paused."""


class IsLive(Refused):
    """The version is live. Roll it back instead."""


class IsBase(Refused):
    """The version is the bare base model, which every version is made from."""


def hold(history: History, orders: OrderLog, *, reason: str, by: Actor, now: datetime) -> Order:
    """Decide to hold automatic promotion. Raises AlreadyOrdered, ReasonMissing."""
    if (in_force := hold_on(history.entries, orders)) is not None:
        raise AlreadyOrdered(in_force)
    return _order(history, orders, OrderKind.HOLD, None, reason=reason, by=by, now=now)


def unhold(history: History, orders: OrderLog, *, reason: str, by: Actor, now: datetime) -> Order:
    """Decide to end every hold that is in the logs. Raises NotHeld, ReasonMissing."""
    if hold_on(history.entries, orders) is None:
        raise NotHeld("automatic promotion is not held; see `retuned status`")
    return _order(history, orders, OrderKind.UNHOLD, None, reason=reason, by=by, now=now)


def pause(history: History, orders: OrderLog, *, reason: str, by: Actor, now: datetime) -> Order:
    """Decide to pause training. Raises AlreadyOrdered, ReasonMissing."""
    if (in_force := orders.paused) is not None:
        raise AlreadyOrdered(in_force)
    return _order(history, orders, OrderKind.PAUSE, None, reason=reason, by=by, now=now)


def resume(history: History, orders: OrderLog, *, reason: str, by: Actor, now: datetime) -> Order:
    """Decide to resume training. Raises NotPaused, ReasonMissing."""
    if orders.paused is None:
        raise NotPaused(
            "training is not paused; see `retuned status`. Intake: `retuned intake resume -m REASON`"
        )
    return _order(history, orders, OrderKind.RESUME, None, reason=reason, by=by, now=now)


def cancel(history: History, orders: OrderLog, *, run: str, reason: str, by: Actor, now: datetime) -> Order:
    """Decide to cancel a run, which has not ended. Raises AlreadyOrdered, ReasonMissing."""
    if (in_force := orders.of(OrderKind.CANCEL).get(run)) is not None:
        raise AlreadyOrdered(in_force)
    return _order(history, orders, OrderKind.CANCEL, run, reason=reason, by=by, now=now)


def reject(
    history: History, orders: OrderLog, *, version: VersionName, reason: str, by: Actor, now: datetime
) -> Order:
    """Decide to reject a version. Raises OtherLine, IsLive, IsBase, AlreadyOrdered, ReasonMissing."""
    check_same_line(history, version)
    if version == history.live:
        raise IsLive(
            f"{version} is live; take it back: `retuned rollback --expect v{version.number} -m REASON`"
        )
    if version.number == 0:
        raise IsBase(f"{version} is the bare base model, which can't be rejected")
    in_force = orders.of(OrderKind.REJECT).get(str(version))
    went_live = max((entry.position for entry in history.entries if entry.version == version), default=0)
    if in_force is not None and in_force.promotions >= went_live:
        raise AlreadyOrdered(in_force)
    return _order(history, orders, OrderKind.REJECT, str(version), reason=reason, by=by, now=now)


def _already(in_force: Hold | Order) -> str:
    if isinstance(in_force, Hold):
        return str(in_force)
    what = f"{in_force.kind} {in_force.subject or ''}".rstrip()
    return f"{what} was ordered already by {in_force.by.name}: {in_force.reason}"


def _order(
    history: History,
    orders: OrderLog,
    kind: OrderKind,
    subject: str | None,
    *,
    reason: str,
    by: Actor,
    now: datetime,
) -> Order:
    if not reason.strip():
        raise ReasonMissing(f"{kind} needs a reason, which the log of orders records")
    return Order(
        model_line=history.model_line,
        number=orders.number + 1,
        kind=kind,
        subject=subject,
        reason=reason,
        by=by,
        at=now,
        promotions=history.position,
    )
