"""Shows in the metrics and the log what is going on."""

import logging
from collections.abc import Callable
from datetime import timedelta

from daemon.domain.clock import Clock, Interval
from daemon.domain.situation import Situation, SituationState
from daemon.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)
#: Between two readings of the ledger. Each reads a few rows; where years are stored, it takes a tenth of a second.
_EVERY = timedelta(seconds=5)


class SituationStage:
    """Reads what is going on every five seconds, sets the gauges of it, and logs each new state once."""

    name = "telling"

    def __init__(self, read: Callable[[], Situation], *, metrics: Metrics, clock: Clock) -> None:
        self._read = read
        self._metrics = metrics.drift
        self._clock = clock
        self._interval = Interval(_EVERY)
        self._state: SituationState | None = None

    def step(self) -> None:
        """Read and show it, if that is due."""
        now = self._clock()
        if not self._interval.is_due(now):
            return
        self._interval.start(now)
        situation = self._read()
        self._metrics.situation_is(situation.state, situation.triage)
        if situation.state is not self._state:
            self._state = situation.state
            unresolved = situation.state is SituationState.UNRESOLVED
            level = logging.WARNING if unresolved else logging.INFO
            _log.log(level, "%s", situation.sentence, extra={"action": "situation"})

    def close(self, timeout_s: float) -> None:  # noqa: ARG002  nothing to wait for
        """Show nothing: another replica may lead, and see what this one no longer sees."""
        self._metrics.situation_is(None)
