"""Runs the stages, one after the other, until told to stop."""

from collections.abc import Callable, Sequence
from threading import Event

from daemon.domain.errors import LedgerLost, LedgerUnavailable
from daemon.runtime.close_all import close_all
from daemon.runtime.ledger_outage import LedgerOutage
from daemon.runtime.stage import Stage
from daemon.telemetry.metrics import Metrics


class Loop:
    """The daemon's only thread that makes decisions.

    One iteration takes a step of every stage. The intake's poll waits a moment for records, which paces the loop. A
    ledger that can't be used for now is waited for. Any other error that no stage handles ends the process: the
    supervisor starts it again, and it continues from the ledger.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        stop: Event,
        beat: Callable[[], None],
        reload: Callable[[], None],
        outage: LedgerOutage,
        metrics: Metrics,
        close_within_s: float,
    ) -> None:
        """``beat`` is called at each iteration, for the liveness probe; ``reload`` then takes new settings, if it is to."""
        self._stages = stages
        self._stop = stop
        self._beat = beat
        self._reload = reload
        self._outage = outage
        self._metrics = metrics
        self._close_within_s = close_within_s

    def run(self) -> None:
        """Iterate until stopped, then close every stage, the last first. Raises LedgerLost."""
        try:
            while not self._stop.is_set():
                with self._metrics.process.iteration.time():
                    self._iterate()
        finally:
            close_all(self._stages, self._close_within_s, action="stop")

    def _iterate(self) -> None:
        self._beat()
        self._reload()
        try:
            if not self._outage.over():
                return
            for stage in self._stages:
                if self._stop.is_set():
                    return
                stage.step()
        except LedgerUnavailable as error:
            self._outage.begin(error)
        except LedgerLost as error:
            self._outage.give_up(error)
            raise
        else:
            self._outage.end()
