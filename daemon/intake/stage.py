"""The intake stage: reads records and stores each exactly once."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from daemon.domain.backoff import Backoff
from daemon.domain.bad_record import Reason
from daemon.domain.clock import Clock
from daemon.domain.halts import Halt, HaltKind
from daemon.domain.log_once import LogOnce
from daemon.domain.records import Batch, BatchResult
from daemon.domain.streams import (
    IntakeMustHalt,
    RawRecord,
    RecordSource,
    StreamError,
    TopicPartition,
    TransactionWait,
)
from daemon.intake.halting import halt_for
from daemon.intake.router import RoutedRecords, Router
from daemon.ledger.stores import Stores
from daemon.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)
_LEAVE_GROUP_S = 2.0
#: Between attempts to fetch a schema that the records need.
_RETRY_S, _LONGEST_RETRY_S = 2.0, 60.0


class IntakeStage:
    """Polls the source and writes the records and the new offsets in one ledger transaction.

    Offsets are committed to the broker afterwards, for lag tools only: after a crash intake continues from the ledger's.
    """

    name = "intake"

    def __init__(
        self,
        source: RecordSource,
        stores: Stores,
        router: Router,
        *,
        metrics: Metrics,
        clock: Clock,
        poll_s: float,
        wait: Callable[[float], object],
    ) -> None:
        """``wait`` paces the loop while intake is halted."""
        self._source = source
        self._ledger = stores.intake
        self._halts = stores.halts
        self._router = router
        self._wait = wait
        self._halted: Halt | None = None
        self._waits: dict[TransactionWait, datetime] = {}  # since when
        self._unroutable: str | None = None  # why records can't be routed for now
        self._routing = LogOnce("reading records", _log, extra={"action": "schema"})
        self._backoff = Backoff(_RETRY_S, _LONGEST_RETRY_S)
        self._metrics = metrics
        self._clock = clock
        self._poll_s = poll_s

    @property
    def connected(self) -> bool:
        """Whether the broker answers."""
        return self._source.connected

    @property
    def problem(self) -> str | None:
        """Why the topic can't be read now; None if it can, or while intake is halted and does not try."""
        return None if self._halted is not None else self._unroutable or self._source.problem

    @property
    def notes(self) -> tuple[str, ...]:
        """What operators should know of partitions that deliver nothing for now, a sentence each."""
        return tuple(_waiting(wait, since) for wait, since in self._waits.items())

    @property
    def halted(self) -> str | None:
        """Why intake is halted; None while it is not."""
        return None if self._halted is None else self._halted.reason

    def step(self) -> None:
        """Read and store at most one batch. The wait for records paces the whole loop."""
        if self._waits_for_operator() or not self._backoff.ready(self._clock().timestamp()):
            self._wait(self._poll_s)
            return
        try:
            records = self._source.poll(self._poll_s)
        except IntakeMustHalt as error:
            self._halts.halt(halt_for(error, self._clock()))
            return
        self._metrics.intake.broker_connected.set(self._source.connected)
        self._metrics.intake.lag.replace(_lag_by_partition(self._source.lag()))
        self._note_waits()
        if not records:
            return
        now = self._clock()
        with self._metrics.intake.batch.time():
            try:
                routed = self._router.route(records, now)
            except StreamError as error:
                self._read_again_later(error)
                return
            self._routes_again()
            self._count_routed(routed)
            batch = replace(routed.batch, topic_ids=self._topic_ids(records))
            result = self._ledger.record(batch)
        if result.refused:
            return
        self._source.commit({TopicPartition(*at): offset for at, offset in batch.next_offsets.items()})
        self._count_stored(result, batch, now)

    def reset(self) -> None:
        """Leave the consumer group; the next step joins it and reads from the ledger's offsets."""
        self._source.close(_LEAVE_GROUP_S)
        self._note_waits()

    def close(self, timeout_s: float) -> None:
        """Leave the consumer group."""
        self._source.close(timeout_s)

    def _read_again_later(self, error: StreamError) -> None:
        """Leave the records to a later step: after the reset, they are read from the ledger's offsets again."""
        self._unroutable = str(error)
        self._routing.failed(error)
        self._backoff.fail(self._clock().timestamp())
        self.reset()

    def _routes_again(self) -> None:
        self._unroutable = None
        self._routing.recovered()
        self._backoff.reset()

    def _note_waits(self) -> None:
        """Show which partitions wait for a transaction; a closed source has none."""
        now = self._clock()
        self._waits = {
            wait: now - timedelta(seconds=wait.seconds) for wait in self._source.transaction_waits()
        }
        self._metrics.intake.waiting_since.replace(
            {(wait.source.partition,): since.timestamp() for wait, since in self._waits.items()}
        )

    def _topic_ids(self, records: Sequence[RawRecord]) -> dict[str, str]:
        found = {topic: self._source.topic_id(topic) for topic in {record.topic for record in records}}
        return {topic: topic_id for topic, topic_id in found.items() if topic_id is not None}

    def _waits_for_operator(self) -> bool:
        """Follow the ledger's halt. While halted, leave the group: it would expel a member that does not poll."""
        halt, before = self._halts.current(), self._halted
        self._halted = halt
        if halt is not None and before is None:
            self.reset()
            _log.error("intake halts: %s", halt.reason, extra={"action": "halt"})
        elif halt is None and before is not None:
            _log.info("intake goes on", extra={"action": "resume"})
        self._metrics.intake.halted.replace(
            {(kind,): float(halt is not None and halt.kind is kind) for kind in HaltKind}
        )
        return halt is not None

    def _count_routed(self, routed: RoutedRecords) -> None:
        metrics = self._metrics.intake
        metrics.records("other_line").inc(routed.other_line)
        metrics.records("not_admitted").inc(routed.not_admitted)
        metrics.records("tombstone").inc(routed.tombstones)
        for unusable, count in routed.unusable_feedback.items():
            metrics.unusable_feedback(unusable).inc(count)
        for absence, count in routed.absent.items():
            metrics.records(absence).inc(count)
        for kind, count in routed.redacted.items():
            metrics.redacted(kind).inc(count)

    def _count_stored(self, result: BatchResult, batch: Batch, now: datetime) -> None:
        metrics = self._metrics.intake
        metrics.last_record_at.set(now.timestamp())
        metrics.records("conversation").inc(result.conversations - result.continued)
        metrics.records("continued").inc(result.continued)
        metrics.records("repeated").inc(result.repeated)
        metrics.records("feedback").inc(result.feedback)
        metrics.records("duplicate").inc(result.duplicates)
        metrics.records("forgotten").inc(result.forgotten)
        metrics.records("not_admitted").inc(result.not_admitted)
        begun_held_out = result.held_out - result.continued_held_out
        metrics.conversations("heldout").inc(begun_held_out)
        metrics.conversations("train").inc(result.conversations - result.continued - begun_held_out)
        self._metrics.drift.windows_closed.inc(result.windows)
        if result.set_aside:
            metrics.rejected(Reason.BURST).inc(result.set_aside)
            _log.warning(
                "%s conversations of users who sent too many at once are set aside", result.set_aside,
                extra={"action": "burst"},
            )  # fmt: skip
        if result.erasures:
            _log.info("tombstones erased %s conversations", result.erasures, extra={"action": "forget"})
        for at in result.published:
            _log.warning(
                "a record of an erased conversation is still on the dead-letter topic, under the key %s/%s/%s",
                at.topic, at.partition, at.offset,
                extra={"action": "forget"},
            )  # fmt: skip
        for letter in batch.dead_letters:
            metrics.rejected(letter.reason).inc()
            _log.warning(
                "record %s/%s@%s can't be used: %s (%s)",
                letter.at.topic, letter.at.partition, letter.at.offset, letter.reason, letter.field,
                extra={"action": "dead_letter"},
            )  # fmt: skip


def _waiting(wait: TransactionWait, since: datetime) -> str:
    topic, partition = wait.source
    return f"waits at {topic}/{partition}@{wait.offset} for an open transaction, since {since:%Y-%m-%d %H:%M:%S}Z"


def _lag_by_partition(lag: Mapping[TopicPartition, int] | None) -> dict[tuple[int], float]:
    return {(source.partition,): float(records) for source, records in (lag or {}).items()}
