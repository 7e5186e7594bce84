"""Shows operators' orders: those in force, and the log."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from daemon.cli.render.formatting import ago, printable, timestamp
from daemon.cli.render.layout import indented
from daemon.views.orders import OrdersInForce
from registry.orders import Order
from registry.restrictions import Bar, Hold
from registry.transitions import explain_bar, must_force, promote_command


def order_facts(orders: OrdersInForce, now: datetime) -> Iterator[tuple[str, RenderableType]]:
    """Show each order in force: who gave it, when and why."""
    if orders.hold is not None:
        yield "hold", _yellow(hold_words(orders.hold, now))
        yield "", "`retuned unhold -m REASON` ends it"
    if orders.pause is not None:
        yield "pause", _yellow(f"no training runs, {_by(orders.pause, now)}")
        yield "", "`retuned resume -m REASON` ends it"
    if orders.cancel is not None:
        yield "cancel", _yellow(f"run {orders.cancel.subject} is to end, {_by(orders.cancel, now)}")
    if orders.bar is not None and orders.barred is not None:
        words = f"{explain_bar(orders.barred, orders.bar)} ({ago(now, orders.bar.at)})"
        yield "barred", _yellow(words)
        yield "", f"{promote_command(orders.barred, force=must_force(orders.bar))} puts it live all the same"


def hold_words(hold: Hold, now: datetime) -> str:
    """Return who holds automatic promotion, since when and why."""
    cause = f"rollback of {hold.rolled_back} by" if hold.rolled_back else "by"
    return f"no automatic promotion, {cause} {hold.by.name}, {ago(now, hold.since)}: {hold.reason}"


def bar_words(bar: Bar) -> Text:
    """Return why a version does not go live by itself."""
    return _yellow(f"does not go live by itself, since {timestamp(bar.at)}: {bar}")


def order_entries(orders: Sequence[Order]) -> Iterator[RenderableType]:
    """Show entries of the log of orders."""
    for order in orders:
        subject = f" {order.subject}" if order.subject else ""
        yield Text.assemble(
            f"{order.number}. {timestamp(order.at)}  ",
            (f"{order.kind}{subject}", "bold"),
            f" by {order.by.kind} {order.by.name}",
        )
        yield indented(Text(printable(order.reason)), 3)


def _by(order: Order, now: datetime) -> str:
    return f"by {order.by.name}, {ago(now, order.at)}: {order.reason}"


def _yellow(text: str) -> Text:
    return Text(printable(text), style="yellow")
