"""The decision to train that waits for its run."""

import logging

from daemon.domain.backoff import Backoff
from daemon.domain.clock import Clock
from daemon.domain.decisions import Decision
from daemon.domain.log_once import LogOnce

_log = logging.getLogger(__name__)
_RETRY_AFTER_S = 5.0
_LONGEST_RETRY_S = 300.0


class WaitingDecision:
    """Holds at most one decision, the newest, and spaces the attempts to start its run.

    So drift is watched during a run, and stale trainings never queue up behind it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._decision: Decision | None = None
        self._problem: str | None = None
        self._backoff = Backoff(_RETRY_AFTER_S, _LONGEST_RETRY_S)
        self._log_once = LogOnce("starting a training", _log, extra={"action": "train"})

    @property
    def decision(self) -> Decision | None:
        """The decision that waits, whether its next attempt is due or not."""
        return self._decision

    @property
    def description(self) -> str | None:
        """What waits, and why it could not start; None if nothing waits."""
        if self._decision is None:
            return None
        waiting = "a training that was decided on"
        return f"{waiting} and can't start: {self._problem}" if self._problem else waiting

    def put(self, decision: Decision) -> None:
        """Hold a decision; it replaces an older one, and its run may start at once."""
        if self._decision is not None:
            _log.info(
                "decision %s replaces decision %s", decision.id, self._decision.id, extra={"action": "train"}
            )
        self._decision = decision
        self._problem = None
        self._backoff.reset()

    def restore(self, decision: Decision | None) -> None:
        """Hold a decision of the ledger, unless one waits already."""
        self._decision = self._decision or decision

    def due(self) -> Decision | None:
        """Return the decision if the next attempt to start its run is due."""
        return self._decision if self._backoff.ready(self._now_s()) else None

    def retry_later(self, error: Exception) -> None:
        """Keep the decision after a failed attempt."""
        self._problem = str(error)
        self._backoff.fail(self._now_s())
        self._log_once.failed(error)

    def clear(self) -> None:
        """Let go of the decision: its run has started, or never can."""
        self._decision = None
        self._problem = None
        self._backoff.reset()
        self._log_once.recovered()

    def _now_s(self) -> float:
        return self._clock().timestamp()
