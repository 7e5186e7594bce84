"""Reads records and counts each once."""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime

from daemon.clock import Clock
from daemon.conversation import Conversation, FeedbackRecord
from daemon.decoding import BadRecord, Limits, decode
from daemon.facts import Batch, BatchResult, Coordinates, DeadLetter, NewConversation, NewFeedback
from daemon.holdout import Holdout, text_digest
from daemon.ledger.intake import IntakeLedger
from daemon.metrics import Metrics
from daemon.streams import RawRecord, RecordSource, TopicPartition

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
        self._sorter = _Sorter(model_line=model_line, holdout=holdout, limits=limits, metrics=metrics)
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


class _Sorter:
    """Decodes records and puts each where it belongs."""

    def __init__(self, *, model_line: str, holdout: Holdout, limits: Limits, metrics: Metrics) -> None:
        self._model_line = model_line
        self._holdout = holdout
        self._limits = limits
        self._metrics = metrics

    def sort(self, records: Iterable[RawRecord], now: datetime) -> Batch:
        talks: list[NewConversation] = []
        opinions: list[NewFeedback] = []
        letters: list[DeadLetter] = []
        next_offsets: dict[tuple[str, int], int] = {}
        for raw in records:
            next_offsets[raw.topic, raw.partition] = raw.offset + 1
            at = Coordinates(topic=raw.topic, partition=raw.partition, offset=raw.offset)
            try:
                record = decode(raw.value, limits=self._limits, received_at=now)
            except BadRecord as bad:
                letters.append(_dead_letter(raw, at, bad, now))
                continue
            if record.model_line not in (None, self._model_line):
                self._metrics.intake.records("other_line").inc()
            elif isinstance(record, FeedbackRecord):
                opinions.append(_feedback(record, at))
            else:
                talks.append(self._conversation(record, raw, at))
        return Batch(
            conversations=tuple(talks),
            feedback=tuple(opinions),
            dead_letters=tuple(letters),
            next_offsets=next_offsets,
            received_at=now,
        )

    def _conversation(self, record: Conversation, raw: RawRecord, at: Coordinates) -> NewConversation:
        group = self._holdout.group(record.user_id, record.conversation_id)
        return NewConversation(
            conversation=record,
            at=at,
            user_hash=group if record.user_id is not None else None,
            group=group,
            held_out=self._holdout.holds_out(group),
            text_digest=text_digest(record.messages),
            record_sha256=hashlib.sha256(raw.value or b"").hexdigest(),
        )


def _feedback(record: FeedbackRecord, at: Coordinates) -> NewFeedback:
    return NewFeedback(
        conversation_id=record.conversation_id, at=at, when=record.at, feedback=record.feedback
    )


def _dead_letter(raw: RawRecord, at: Coordinates, bad: BadRecord, now: datetime) -> DeadLetter:
    return DeadLetter(
        at=at, reason=bad.reason, field=bad.field, message=str(bad), key=raw.key, value=raw.value, when=now
    )


def _lag_by_partition(lag: Mapping[TopicPartition, int] | None) -> dict[tuple[int], float]:
    return {(source.partition,): float(records) for source, records in (lag or {}).items()}
