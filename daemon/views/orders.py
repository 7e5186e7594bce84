"""What operators have ordered that is in force now."""

from dataclasses import dataclass

from daemon.domain.runs import RunState
from daemon.ledger.counts import RunSummary
from registry.line_logs import LineOutline, outlined_bar
from registry.names import VersionName
from registry.orders import Order, OrderKind
from registry.restrictions import Bar, Hold
from registry.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class OrdersInForce:
    """What binds the daemon now."""

    hold: Hold | None = None  # of automatic promotion
    pause: Order | None = None  # of training
    cancel: Order | None = None  # of the run in progress
    #: Why the candidate, or a newest version that would be one, does not go live by itself.
    bar: Bar | None = None
    barred: VersionName | None = None  # the version that ``bar`` keeps from going live

    @property
    def any(self) -> bool:
        """Whether automatic promotion is held or training paused."""
        return self.hold is not None or self.pause is not None


def orders_in_force(
    versions: Store, outline: LineOutline, *, candidate: VersionName | None, run: RunSummary | None
) -> OrdersInForce:
    """Read what binds the daemon, with ``candidate`` the newest version if it was never live."""
    bar = outlined_bar(versions, candidate, outline)
    running = run is not None and run.state is RunState.RUNNING
    return OrdersInForce(
        hold=outline.hold,
        pause=outline.orders.paused,
        cancel=outline.orders.of(OrderKind.CANCEL).get(run.id) if run and running else None,
        bar=bar,
        barred=candidate if bar else None,
    )
