"""Orders that operators give about a model line: an append-only log beside the promotion log."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import with_config

from registry.json_types import STRICT, Moment
from registry.types import Actor


class OrderKind(StrEnum):
    """What an operator ordered."""

    HOLD = "hold"  # the daemon promotes nothing by itself
    UNHOLD = "unhold"
    PAUSE = "pause"  # no training runs
    RESUME = "resume"
    CANCEL = "cancel"  # a run ends, and its result is not released
    REJECT = "reject"  # a version is not released, and no training continues from it


@with_config(STRICT)
@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One entry of the log of orders."""

    model_line: str
    number: int  # 1 for the first entry of a line
    kind: OrderKind
    subject: str | None  # the run to cancel, or the name of the rejected version
    reason: str
    by: Actor
    at: Moment
    promotions: int  # position of the promotion log that the operator had seen


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderLog:
    """All orders on one model line, oldest first."""

    model_line: str
    orders: tuple[Order, ...] = ()

    @property
    def number(self) -> int:
        """The number of the newest order; 0 for an empty log."""
        return len(self.orders)

    @property
    def paused(self) -> Order | None:
        """The order that pauses training; None if training is not paused."""
        last = self._last(OrderKind.PAUSE, OrderKind.RESUME)
        return last if last is not None and last.kind is OrderKind.PAUSE else None

    @property
    def held(self) -> Order | None:
        """The order that holds automatic promotion; None if no order does. ``hold_on`` knows rollbacks, too."""
        last = self._last(OrderKind.HOLD, OrderKind.UNHOLD)
        return last if last is not None and last.kind is OrderKind.HOLD else None

    @property
    def unheld_until(self) -> int:
        """The position of the promotion log up to which an operator has ended the holds of rollbacks."""
        last = self._last(OrderKind.UNHOLD)
        return 0 if last is None else last.promotions

    def of(self, kind: OrderKind) -> Mapping[str, Order]:
        """Return the newest order of a kind by its subject."""
        return {order.subject: order for order in self.orders if order.kind is kind and order.subject}

    def _last(self, *kinds: OrderKind) -> Order | None:
        return next((order for order in reversed(self.orders) if order.kind in kinds), None)
