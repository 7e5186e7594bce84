"""The lease that elects the leader among the replicas that share a ledger."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from daemon.domain.process_identity import ProcessIdentity
from daemon.ledger.database import reader, write
from daemon.ledger.lease_policy import LeaseState, ObservedLease, has_lapsed, is_due, may_take_over, observe
from daemon.ledger.tables import LEADER, lease


class Lease:
    """One replica holds the lease at a time. Each takeover raises its fencing token.

    A replica that was suspended, or lost its network, may still act as the leader. Its write transactions compare the
    fencing token (``fenced``), so a stale leader writes nothing.
    """

    def __init__(
        self, engine: Engine, holder: ProcessIdentity, *, ttl_s: float, clock: Callable[[], float]
    ) -> None:
        """``clock`` is monotonic, in seconds."""
        self._engine = engine
        self._holder = holder
        self._ttl_s = ttl_s
        self._clock = clock
        self._fence: int | None = None
        self._renewed_at = 0.0
        self._observed: ObservedLease | None = None

    def acquire_or_renew(self) -> int | None:
        """Acquire or renew the lease; return its fencing token, or None if another replica holds it.

        Call it at least three times within ``ttl_s``.
        """
        # Read before the ledger answers, so that the lease lapses too early rather than too late.
        now = self._clock()
        if self._fence is not None:
            self._renew(self._fence, now)
        else:
            self._acquire(now)
        return self._fence

    def lost(self) -> None:
        """Note that another replica holds the lease."""
        self._fence = self._observed = None

    def release(self) -> None:
        """Release the lease, so that a successor need not wait for it to lapse."""
        if self._fence is not None:
            with write(self._engine, "lease.release") as connection:
                connection.execute(update(lease).where(self._ours(self._fence)).values(holder=None))
            self.lost()

    def _renew(self, fence: int, now: float) -> None:
        times = {"renewed_at": self._renewed_at, "now": now, "ttl_s": self._ttl_s}
        if has_lapsed(**times):
            self.lost()
        elif is_due(**times):
            with write(self._engine, "lease.renew") as connection:
                renewal = update(lease).where(self._ours(fence)).values(beat=lease.c.beat + 1)
                renewed = connection.execute(renewal).rowcount == 1
            if renewed:
                self._renewed_at = now
            else:
                self.lost()

    def _acquire(self, now: float) -> None:
        held = lease_of(self._engine) or self._create()
        self._observed = observe(self._observed, held, now=now)
        # A lease of this process that it has lost count of, as while the ledger was unavailable, is taken anew.
        if held.holder != self._holder and not may_take_over(self._observed, now=now, ttl_s=self._ttl_s):
            return
        with write(self._engine, "lease.take") as connection:
            same = (lease.c.name == LEADER) & (lease.c.fence == held.fence) & (lease.c.beat == held.beat)
            values = {"holder": str(self._holder), "fence": held.fence + 1, "beat": held.beat + 1}
            taken = connection.execute(update(lease).where(same).values(**values)).rowcount == 1
        if taken:
            self._fence, self._renewed_at = held.fence + 1, now

    def _create(self) -> LeaseState:
        """Create the lease's row, unless another replica has just done so; return the lease."""
        try:
            with write(self._engine, "lease.first") as connection:
                connection.execute(insert(lease).values(name=LEADER, holder=None, fence=0, beat=0))
        except IntegrityError:
            return lease_of(self._engine) or _FREE
        return _FREE

    def _ours(self, fence: int) -> ColumnElement[bool]:
        return (lease.c.name == LEADER) & (lease.c.fence == fence)


_FREE = LeaseState(holder=None, fence=0, beat=0)


def lease_of(engine: Engine) -> LeaseState | None:
    """Return the stored lease; None if no replica has ever led."""
    with reader(engine).begin() as connection:
        return _held(connection)


def _held(connection: Connection) -> LeaseState | None:
    row = connection.execute(select(lease).where(lease.c.name == LEADER)).mappings().first()
    if row is None:
        return None
    holder = ProcessIdentity.read(row["holder"]) if row["holder"] else None
    return LeaseState(holder=holder, fence=row["fence"], beat=row["beat"])
