"""Reads records and counts each once."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from daemon.domain.bad_record import Reason
from daemon.domain.clock import Clock
from daemon.domain.halts import Halt, HaltKind
from daemon.domain.holdout import Holdout
from daemon.domain.records import Batch, BatchResult
from daemon.domain.streams import IntakeMustHalt, RawRecord, RecordSource, TopicPartition
from daemon.intake.decoding import Limits
from daemon.intake.halting import halt_of
from daemon.intake.privacy.admission import Admission
from daemon.intake.privacy.redaction import Redactor
from daemon.intake.router import Router
from daemon.ledger.halts import HaltLedger
from daemon.ledger.intake import IntakeLedger
from daemon.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)
_LEAVE_S = 2.0


class IntakeStage:
    """Polls the source and writes what came, with the new offsets, in one ledger transaction.

    The broker hears of the offsets afterwards, for lag tools only: after a crash the ledger's count.
    """

    name = "intake"

    def __init__(
        self,
        source: RecordSource,
        ledger: IntakeLedger,
        halts: HaltLedger,
        *,
        model_line: str,
        holdout: Holdout,
        limits: Limits,
        keep_bytes: bool = True,
        redactor: Redactor | None = None,
        admission: Admission | None = None,
        metrics: Metrics,
        clock: Clock,
        poll_s: float,
        wait: Callable[[float], object],
    ) -> None:
        """``wait`` paces the loop while intake is halted."""
        self._source = source
        self._ledger = ledger
        self._halts = halts
        self._wait = wait
        self._halted: Halt | None = None
        self._router = Router(
            model_line=model_line,
            holdout=holdout,
            limits=limits,
            keep_bytes=keep_bytes,
            metrics=metrics,
            redactor=redactor,
            admission=admission,
        )
        self._metrics = metrics
        self._clock = clock
        self._poll_s = poll_s

    @property
    def connected(self) -> bool:
        """Whether the broker answers."""
        return self._source.connected

    @property
    def halted(self) -> str | None:
        """Why intake waits for an operator; None while it does not."""
        return None if self._halted is None else self._halted.reason

    def step(self) -> None:
        """Read one batch at most; wait for it a moment, which paces the whole loop."""
        if self._waits_for_operator():
            self._wait(self._poll_s)
            return
        try:
            records = self._source.poll(self._poll_s)
        except IntakeMustHalt as error:
            self._halts.halt(halt_of(error, self._clock()))
            return
        self._metrics.intake.broker_connected.set(self._source.connected)
        self._metrics.intake.lag.replace(_lag_by_partition(self._source.lag()))
        if not records:
            return
        now = self._clock()
        with self._metrics.intake.batch.time():
            batch = replace(self._router.sort(records, now), topic_ids=self._topic_ids(records))
            result = self._ledger.record(batch)
        if result.refused:
            return
        self._source.commit({TopicPartition(*at): offset for at, offset in batch.next_offsets.items()})
        self._count(result, batch, now)

    def close(self, timeout_s: float) -> None:
        """Leave the consumer group."""
        self._source.close(timeout_s)

    def _topic_ids(self, records: Sequence[RawRecord]) -> dict[str, str]:
        found = {topic: self._source.topic_id(topic) for topic in {record.topic for record in records}}
        return {topic: topic_id for topic, topic_id in found.items() if topic_id is not None}

    def _waits_for_operator(self) -> bool:
        """Follow the ledger's halt. The group is left meanwhile: a member that doesn't poll would be put out anyway."""
        halt, before = self._halts.current(), self._halted
        self._halted = halt
        if halt is not None and before is None:
            self._source.close(_LEAVE_S)
            _log.error("intake halts: %s", halt.reason, extra={"action": "halt"})
        elif halt is None and before is not None:
            _log.info("intake goes on", extra={"action": "resume"})
        self._metrics.intake.halted.replace(
            {(kind,): float(halt is not None and halt.kind is kind) for kind in HaltKind}
        )
        return halt is not None

    def _count(self, result: BatchResult, batch: Batch, now: datetime) -> None:
        metrics = self._metrics.intake
        metrics.last_record_at.set(now.timestamp())
        metrics.records("conversation").inc(result.conversations)
        metrics.records("feedback").inc(result.feedback)
        metrics.records("duplicate").inc(result.duplicates)
        metrics.records("forgotten").inc(result.forgotten)
        metrics.records("not_admitted").inc(result.not_admitted)
        metrics.conversations("heldout").inc(result.held_out)
        metrics.conversations("train").inc(result.conversations - result.held_out)
        self._metrics.drift.windows_closed.inc(result.windows)
        if result.set_aside:
            metrics.rejected(Reason.BURST).inc(result.set_aside)
            _log.warning(
                "%s conversations of users who sent too many at once are set aside", result.set_aside,
                extra={"action": "burst"},
            )  # fmt: skip
        for letter in batch.dead_letters:
            metrics.rejected(letter.reason).inc()
            _log.warning(
                "record %s/%s@%s can't be used: %s (%s)",
                letter.at.topic, letter.at.partition, letter.at.offset, letter.reason, letter.field,
                extra={"action": "dead_letter"},
            )  # fmt: skip


def _lag_by_partition(lag: Mapping[TopicPartition, int] | None) -> dict[tuple[int], float]:
    return {(source.partition,): float(records) for source, records in (lag or {}).items()}
