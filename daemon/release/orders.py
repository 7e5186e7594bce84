"""Records the orders of operators. The daemon follows them at its next turn, or when it starts."""

from datetime import datetime
from functools import partial
from typing import Protocol

from daemon.domain.clock import Clock
from daemon.domain.errors import DaemonError
from daemon.domain.runs import RunState
from daemon.ledger.stores import Stores
from daemon.release.promotion import Overtaken
from registry import ordering
from registry.history import History
from registry.line_logs import read_logs
from registry.names import VersionName
from registry.orders import Order, OrderKind, OrderLog
from registry.store import Conflict
from registry.types import Actor

_ATTEMPTS = 5
#: Orders that lift a restriction. They are not tried again where another order was first: it may be a new restriction.
_LIFTING = (OrderKind.UNHOLD, OrderKind.RESUME)


class NoSuchRun(DaemonError):
    """No run is in progress, or not the one that was named."""


class DecideOrder(Protocol):
    """Decides on an order, as the functions of ``registry.ordering`` do."""

    def __call__(
        self, history: History, orders: OrderLog, *, reason: str, by: Actor, now: datetime
    ) -> Order: ...


def give_order(
    stores: Stores, model_line: str, decide: DecideOrder, *, reason: str, by: Actor, clock: Clock
) -> Order:
    """Record an order. Raises the refusals of ``decide``, and Overtaken; none of them changes anything."""
    for _ in range(_ATTEMPTS):
        logs = read_logs(stores.versions, model_line)
        order = decide(logs.history, logs.orders, reason=reason, by=by, now=clock())
        try:
            stores.versions.add_order(order)
        except Conflict:
            if order.kind in _LIFTING:
                break
        else:
            return order
    newest = stores.versions.orders(model_line).orders[-1]
    raise Overtaken(
        f"meanwhile {newest.by.name} ordered {newest.kind}: {newest.reason}; nothing was changed. Look at "
        "`retuned status`, and repeat the command if you still want it"
    )


def cancel_run(
    stores: Stores, model_line: str, run: str | None, *, reason: str, by: Actor, clock: Clock
) -> Order:
    """Cancel the run in progress; with ``run``, only if it is that one. Raises NoSuchRun, AlreadyOrdered, ReasonMissing."""
    running = stores.runs.running()
    if running is None or run not in (None, running.id):
        raise NoSuchRun(_no_such_run(stores, run, running.id if running else None))
    decide = partial(ordering.cancel, run=running.id)
    return give_order(stores, model_line, decide, reason=reason, by=by, clock=clock)


def reject_version(stores: Stores, version: VersionName, *, reason: str, by: Actor, clock: Clock) -> Order:
    """Reject a version. Raises VersionNotFound, IsLive, IsBase, AlreadyOrdered, ReasonMissing."""
    name = stores.versions.version(version).name
    decide = partial(ordering.reject, version=name)
    return give_order(stores, name.line, decide, reason=reason, by=by, clock=clock)


def _no_such_run(stores: Stores, wanted: str | None, running: str | None) -> str:
    if wanted is None:
        return "no training is running; see `retuned status`. `retuned pause -m REASON` keeps the next from starting"
    found = stores.runs.run(wanted)
    state = "there is no such run" if found is None else f"it is {found.state}"
    if found is not None and found.state is RunState.FINISHED:
        state += "; `retuned reject VERSION -m REASON` keeps its version from going live"
    return f"{wanted} is not running: {state}" + (f"; {running} is running" if running else "")
