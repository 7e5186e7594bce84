"""The dead-letter stage: publishes dead letters of the ledger to their topic."""

import logging
from collections.abc import Callable

from daemon.domain.clock import Clock
from daemon.domain.streams import RecordSink
from daemon.intake.dead_letter_record import encode
from daemon.ledger.dead_letters import DeadLetterLedger
from daemon.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)
_BATCH = 100
_FLUSH_S = 0.5


class DeadLetterStage:
    """Publishes each dead letter at least once; repeats have the same key."""

    name = "dead_letters"

    def __init__(
        self,
        ledger: DeadLetterLedger,
        sink: RecordSink,
        *,
        topic: str,
        connected: Callable[[], bool],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._sink = sink
        self._topic = topic
        self._connected = connected
        self._metrics = metrics
        self._clock = clock
        self._sent: list[int] = []

    @property
    def problem(self) -> str | None:
        """Why dead letters wait, in one sentence; None if none do."""
        if not self._sent or (problem := self._sink.problem) is None:
            return None
        return f"dead letters wait to be published: {problem}"

    def step(self) -> None:
        """Send a page of dead letters, and record those that the broker has acknowledged."""
        if not self._connected():
            return
        if not self._sent:
            letters = self._ledger.unpublished(_BATCH)
            self._metrics.intake.dead_letters_waiting.set(len(letters))
            for stored in letters:
                self._sink.send(self._topic, *encode(stored.letter))
            self._sent = [stored.id for stored in letters]
        if self._sent and self._sink.flush(_FLUSH_S):
            self._ledger.mark_published(self._sent, self._clock())
            self._metrics.intake.dead_letters.inc(len(self._sent))
            self._sent = []

    def close(self, timeout_s: float) -> None:
        """Close the producer. Unacknowledged letters are sent again after the next start."""
        self._sink.close(timeout_s)
