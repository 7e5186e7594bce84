"""Reads records and counts each once."""

import logging
from collections.abc import Mapping
from datetime import datetime

from daemon.clock import Clock
from daemon.decoding import Limits
from daemon.facts import Batch, BatchResult
from daemon.holdout import Holdout
from daemon.ledger.intake import IntakeLedger
from daemon.metrics import Metrics
from daemon.sorting import Sorter
from daemon.streams import RecordSource, TopicPartition

_log = logging.getLogger(__name__)


class IntakeStage:
    """Polls the source and writes what came, with the new offsets, in one ledger transaction.

    The broker hears of the offsets afterwards, for lag tools only: after a crash the ledger's count.
    """

    name = "intake"

    def __init__(
        self,
        source: RecordSource,
        ledger: IntakeLedger,
        *,
        model_line: str,
        holdout: Holdout,
        limits: Limits,
        metrics: Metrics,
        clock: Clock,
        poll_s: float,
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._sorter = Sorter(model_line=model_line, holdout=holdout, limits=limits, metrics=metrics)
        self._metrics = metrics
        self._clock = clock
        self._poll_s = poll_s

    @property
    def connected(self) -> bool:
        """Whether the broker answers."""
        return self._source.connected

    def step(self) -> None:
        """Read one batch at most; wait for it a moment, which paces the whole loop."""
        records = self._source.poll(self._poll_s)
        self._metrics.intake.broker_connected.set(self._source.connected)
        self._metrics.intake.lag.replace(_lag_by_partition(self._source.lag()))
        if not records:
            return
        now = self._clock()
        with self._metrics.intake.batch.time():
            batch = self._sorter.sort(records, now)
            result = self._ledger.record(batch)
        self._source.commit({TopicPartition(*at): offset for at, offset in batch.next_offsets.items()})
        self._count(result, batch, now)

    def close(self, timeout_s: float) -> None:
        """Leave the consumer group."""
        self._source.close(timeout_s)

    def _count(self, result: BatchResult, batch: Batch, now: datetime) -> None:
        metrics = self._metrics.intake
        metrics.last_record_at.set(now.timestamp())
        metrics.records("conversation").inc(result.conversations)
        metrics.records("feedback").inc(result.feedback)
        metrics.records("duplicate").inc(result.duplicates)
        metrics.conversations("heldout").inc(result.held_out)
        metrics.conversations("train").inc(result.conversations - result.held_out)
        self._metrics.drift.windows_closed.inc(result.windows)
        for letter in batch.dead_letters:
            metrics.rejected(letter.reason).inc()
            _log.warning(
                "record %s/%s@%s can't be used: %s (%s)",
                letter.at.topic, letter.at.partition, letter.at.offset, letter.reason, letter.field,
                extra={"action": "dead_letter"},
            )  # fmt: skip


def _lag_by_partition(lag: Mapping[TopicPartition, int] | None) -> dict[tuple[int], float]:
    return {(source.partition,): float(records) for source, records in (lag or {}).items()}
