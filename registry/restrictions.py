"""What restricts the promotion of a version by the daemon: pure functions of the promotion log and the log of orders.

A rollback is an order, too: it holds automatic promotion, and bars the versions that it leaves.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from registry.history import LogStep, Step, rolled_back
from registry.names import VersionName
from registry.orders import OrderKind, OrderLog
from registry.store import Ancestry
from registry.types import Actor, Promotion, PromotionKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Automatic promotion is held."""

    by: Actor
    since: datetime
    reason: str
    rolled_back: VersionName | None = None  # the version that a rollback left, where that holds

    def __str__(self) -> str:
        cause = f"by the rollback of {self.rolled_back}, " if self.rolled_back else ""
        return f"automatic promotion is held {cause}by {self.by.name}: {self.reason}"


class BarCause(StrEnum):
    """Why a version may not go live by itself."""

    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"
    CANCELLED = "cancelled"  # the run that made it


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A version may not go live by itself, because of what an operator did to it or to a version it continues from."""

    version: VersionName  # that the operator rolled back or rejected, or whose run the operator cancelled
    cause: BarCause
    by: Actor
    at: datetime
    reason: str

    def __str__(self) -> str:
        words = {
            BarCause.ROLLED_BACK: f"{self.version} was rolled back",
            BarCause.REJECTED: f"{self.version} was rejected",
            BarCause.CANCELLED: f"the run that made {self.version} was cancelled",
        }
        return f"{words[self.cause]} by {self.by.name}: {self.reason}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Restrictions:
    """What restricts the promotion of one version. It binds the daemon, not people."""

    hold: Hold | None = None
    bar: Bar | None = None


def hold_on(steps: Sequence[Step], orders: OrderLog) -> Hold | None:
    """Return what holds automatic promotion: an order, or the newest rollback; None if nothing does.

    ``steps`` are the entries of the promotion log, oldest first. A rollback holds until an operator who has seen it ends
    the hold. A promotion by the daemon after it shows that the hold had ended, which matters for logs of releases
    without holds.
    """
    if (order := orders.held) is not None:
        return Hold(by=order.by, since=order.at, reason=order.reason)
    for step in reversed(steps):
        if step.position <= orders.unheld_until or _is_automatic(step):
            return None
        if isinstance(step, Promotion) and step.kind is PromotionKind.ROLLBACK:
            return Hold(by=step.by, since=step.at, reason=step.reason, rolled_back=step.previous)
    return None


def bar_on(ancestry: Iterable[Ancestry], steps: Sequence[Step], orders: OrderLog) -> Bar | None:
    """Return why a version may not go live by itself; None if it may.

    ``ancestry`` is the version, the one that it continues from, and so on. The search ends at the live version: whoever
    let that go live has accepted what it was made from. A person who puts a barred version live ends its bar.
    """
    bars = Bars(steps, orders)
    if bars.none:
        return None
    for found in ancestry:
        if found.name == bars.live:
            return None
        if (bar := bars.own(found.name, found.run)) is not None:
            return bar
    return None


class Bars:
    """The bars of single versions: what operators did to each itself, not to its ancestors."""

    def __init__(self, steps: Sequence[Step], orders: OrderLog) -> None:
        self.live = steps[-1].version if steps else None
        self._rollbacks = rolled_back(steps)
        self._rejections = orders.of(OrderKind.REJECT)
        self._cancellations = orders.of(OrderKind.CANCEL)
        self._went_live = {step.version: step.position for step in steps}

    @property
    def none(self) -> bool:
        """Whether no version at all is barred."""
        return not (self._rollbacks or self._rejections or self._cancellations)

    def own(self, name: VersionName, run: str | None) -> Bar | None:
        """Return the bar of a version that this run made; None if it has none."""
        if (step := self._rollbacks.get(name)) is not None:
            cause = BarCause.ROLLED_BACK
            return Bar(version=name, cause=cause, by=step.by, at=step.at, reason=step.reason)
        orders = {
            BarCause.REJECTED: self._rejections.get(str(name)),
            BarCause.CANCELLED: self._cancellations.get(run or ""),
        }
        for cause, order in orders.items():
            if order is not None and order.promotions >= self._went_live.get(name, 0):
                return Bar(version=name, cause=cause, by=order.by, at=order.at, reason=order.reason)
        return None


def _is_automatic(step: Step) -> bool:
    if isinstance(step, LogStep):
        return step.automatic
    return step.kind is PromotionKind.PROMOTION and step.by.kind != "operator"
