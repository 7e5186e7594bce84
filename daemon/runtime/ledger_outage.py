"""Waits out a ledger that can't be used for now."""

import logging
from collections.abc import Callable, Sequence

from daemon.domain.backoff import Backoff
from daemon.domain.errors import LedgerError, LedgerUnavailable
from daemon.domain.problems import ProblemKind
from daemon.runtime.problems import Problems

_log = logging.getLogger(__name__)
_FIRST_S, _LONGEST_S = 0.5, 15.0
#: How long the loop sleeps at a time, so that it goes on reporting to the liveness probe.
_SLICE_S = 0.2
#: An outage that has lasted for so long is logged as an error, and again each time that as much has passed.
_LONG_S = 600.0


class LedgerOutage:
    """While the ledger can't be used, the daemon is live, not ready, and tries again after a growing pause.

    What it holds in memory may be ahead of the ledger or behind it, so all is dropped and read again: the consumer's
    positions, the lease and everything that the leader built.
    """

    def __init__(
        self,
        problems: Problems,
        *,
        reset: Sequence[Callable[[], None]],
        probe: Callable[[], None],
        clock: Callable[[], float],
        wait: Callable[[float], object],
    ) -> None:
        """``reset`` drops what is in memory; ``probe`` raises LedgerError unless the ledger can be used; ``clock`` is monotonic."""
        self._problems = problems
        self._reset = reset
        self._probe = probe
        self._clock = clock
        self._wait = wait
        self._backoff = Backoff(_FIRST_S, _LONGEST_S)
        self._since: float | None = None  # in seconds of the clock; None: the ledger can be used
        self._said_at = 0.0

    def over(self) -> bool:
        """Return whether the stages may run. During an outage, wait a moment first, or probe the ledger if that is due.

        Raises LedgerUnavailable, or LedgerLost where another ledger came back.
        """
        if self._since is None:
            return True
        if not self._backoff.ready(self._clock()):
            self._wait(_SLICE_S)
            return False
        self._probe()
        return True

    def begin(self, error: LedgerUnavailable) -> None:
        """Drop what is in memory and wait, as the ledger can't be used."""
        now = self._clock()
        self._backoff.fail(now)
        if self._since is None:
            self._since = self._said_at = now
            _log.warning("%s; waiting for it", error, extra={"action": "wait"})
        elif now - self._said_at >= _LONG_S:
            self._said_at = now
            minutes = (now - self._since) / 60
            _log.error("waiting for %.0f minutes: %s", minutes, error, extra={"action": "wait"})
        self._problems.report(ProblemKind.LEDGER_UNREACHABLE, f"{error} (for {now - self._since:.0f} s)")
        for drop in self._reset:
            drop()

    def end(self) -> None:
        """Go on: all stages have made a step with the ledger."""
        if self._since is not None:
            seconds = self._clock() - self._since
            _log.warning("the ledger can be used again after %.0f s", seconds, extra={"action": "resume"})
            self._since = None
            self._backoff.reset()
        self._problems.report(ProblemKind.LEDGER_UNREACHABLE, None)

    def give_up(self, error: LedgerError) -> None:
        """Report a ledger that is lost, for the time until the process has ended."""
        self._problems.report(ProblemKind.LEDGER_LOST, str(error))
