"""Checks that the ledger is still the one that was opened."""

from datetime import timedelta

from daemon.domain.clock import Clock, Interval
from daemon.ledger.ledger_id import LedgerId

_EVERY = timedelta(seconds=5)


class LedgerWatchStage:
    """Compares the ledger's identity every few seconds. Raises LedgerLost where another ledger has taken its place.

    A file that was moved is noticed sooner, at the next transaction. This notices one that was overwritten in place,
    and a server that came back with another database.
    """

    name = "ledger"

    def __init__(self, ledger: LedgerId, *, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._interval = Interval(_EVERY)

    def step(self) -> None:
        """Check, if the interval is over."""
        now = self._clock()
        if self._interval.is_due(now):
            self._interval.start(now)
            self._ledger.check()

    def close(self, timeout_s: float) -> None:
        """Do nothing: the stage holds no resources."""
