"""The lease that elects, of all replicas on one ledger, the one that decides, trains and promotes."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from daemon.domain.process_identity import ProcessIdentity
from daemon.ledger.database import reader, write
from daemon.ledger.lease_policy import LeaseState, ObservedLease, has_lapsed, is_due, may_take_over, watch
from daemon.ledger.tables import LEADER, lease


class Lease:
    """Held by one replica at a time, under a number that grows with each take-over.

    Who holds it may be wrong about that for a moment (it slept, the network hung): the number, compared in each of
    its write transactions (``fenced``), is what keeps it from harm.
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
        self._watched: ObservedLease | None = None

    def hold(self) -> int | None:
        """Take, keep or watch the lease; return the number under which it is held, or None.

        To be called often, at least three times within the time-to-live.
        """
        now = self._clock()  # before the ledger is asked: the lease may lapse too early, never too late
        if self._fence is not None:
            self._keep(self._fence, now)
        else:
            self._try(now)
        return self._fence

    def lost(self) -> None:
        """Note that somebody else holds it."""
        self._fence = self._watched = None

    def release(self) -> None:
        """Give it back, so that a successor need not wait."""
        if self._fence is not None:
            with write(self._engine, "lease.release") as connection:
                connection.execute(update(lease).where(self._ours(self._fence)).values(holder=None))
            self.lost()

    def _keep(self, fence: int, now: float) -> None:
        times = {"renewed_at": self._renewed_at, "now": now, "ttl_s": self._ttl_s}
        if has_lapsed(**times):
            self.lost()
        elif is_due(**times):
            with write(self._engine, "lease.renew") as connection:
                renewal = update(lease).where(self._ours(fence)).values(beat=lease.c.beat + 1)
                kept = connection.execute(renewal).rowcount == 1
            if kept:
                self._renewed_at = now
            else:
                self.lost()

    def _try(self, now: float) -> None:
        held = lease_of(self._engine) or self._first()
        self._watched = watch(self._watched, held, now=now)
        if not may_take_over(self._watched, now=now, ttl_s=self._ttl_s):
            return
        with write(self._engine, "lease.take") as connection:
            same = (lease.c.name == LEADER) & (lease.c.fence == held.fence) & (lease.c.beat == held.beat)
            values = {"holder": str(self._holder), "fence": held.fence + 1, "beat": held.beat + 1}
            taken = connection.execute(update(lease).where(same).values(**values)).rowcount == 1
        if taken:
            self._fence, self._renewed_at = held.fence + 1, now

    def _first(self) -> LeaseState:
        """Make the row that all replicas contend for; another may be doing the same."""
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
    """Return who leads, or led last; None where nobody ever did."""
    with reader(engine).begin() as connection:
        return _held(connection)


def _held(connection: Connection) -> LeaseState | None:
    row = connection.execute(select(lease).where(lease.c.name == LEADER)).mappings().first()
    if row is None:
        return None
    holder = ProcessIdentity.read(row["holder"]) if row["holder"] else None
    return LeaseState(holder=holder, fence=row["fence"], beat=row["beat"])
