"""Publishes dead letters that the ledger holds to their topic."""

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
    """Sends what was set aside at intake, each at least once; the key (coordinates) tells repeats."""

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

    def step(self) -> None:
        """Send some, and note those that the broker has acknowledged."""
        if not self._connected():
            return
        if not self._sent:
            letters = self._ledger.unpublished(_BATCH)
            self._metrics.intake.dead_letters_waiting.set(len(letters))
            for stored in letters:
                self._sink.send(self._topic, *encode(stored.letter))
            self._sent = [stored.id for stored in letters]
        if self._sent and self._sink.flush(_FLUSH_S):
            self._ledger.published(self._sent, self._clock())
            self._metrics.intake.dead_letters.inc(len(self._sent))
            self._sent = []

    def close(self, timeout_s: float) -> None:
        """Let go of the producer; what it still held is sent after the next start."""
        self._sink.close(timeout_s)
