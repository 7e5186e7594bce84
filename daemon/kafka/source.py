"""Reads a topic as a member of a consumer group."""

import contextlib
import logging
import time
from collections.abc import Iterable, Mapping

from daemon.domain.log_once import LogOnce
from daemon.domain.streams import RawRecord, StartOffsets, TopicPartition, TransactionWait
from daemon.kafka import client_patches
from daemon.kafka.availability import Availability
from daemon.kafka.batches import Unreadable, clear_frames, decompression_limit
from daemon.kafka.connection import METADATA_MAX_AGE_MS, Client, connection
from daemon.kafka.decompression import AllowanceSpent
from daemon.kafka.library import (
    ClientPartition,
    KafkaConsumer,
    KafkaNetClient,
    OffsetAndMetadata,
    kafka_errors,
)
from daemon.kafka.placement import AssignmentListener, Placement
from daemon.kafka.positions import EndCheck, offset_lost, position_of, readable_end
from daemon.kafka.records import POLL_SLICE_S, raw_record
from daemon.kafka.rejoining import RejoinPolicy
from daemon.kafka.settings import KafkaSettings
from daemon.kafka.stalls import StallCheck
from daemon.kafka.transactions import OpenTransactions

_log = logging.getLogger(__name__)

_LEAVE_GROUP_S = 1.0


class KafkaSource:
    """A RecordSource over a consumer group.

    Nothing is connected before the first poll. Offsets are never reset automatically. Not thread-safe: all calls come
    from one thread.
    """

    def __init__(self, settings: KafkaSettings, *, start_offsets: StartOffsets) -> None:
        self._settings = settings
        self._client: Client | None = None
        self._consumer: KafkaConsumer | None = None
        self._placement = Placement(start_offsets)
        self._end_check = EndCheck()
        self._stall_check = StallCheck(settings)
        self._transactions = OpenTransactions()
        self._availability = Availability(settings)
        self._rejoin = RejoinPolicy()
        self._reading = LogOnce("reading from Kafka", _log)
        self._opening = LogOnce("opening the topic", _log)

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[RawRecord]:
        """See RecordSource."""
        deadline = time.monotonic() + timeout_s
        while True:
            wait_s = max(0.0, min(deadline - time.monotonic(), POLL_SLICE_S))
            records = self._poll_slice(wait_s, max_records or self._settings.max_poll_records)
            if records or time.monotonic() >= deadline:
                return records

    def topic_id(self, topic: str) -> str | None:
        """See RecordSource. As of the client's latest metadata."""
        found = None if self._client is None else self._client.cluster.topic_id(topic)
        return None if found is None or not found.int else str(found)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """See RecordSource. Does not wait for the answer; a failure is logged."""
        if self._consumer is None or not offsets:
            return
        positions = {
            ClientPartition(*source): OffsetAndMetadata(offset, "", -1) for source, offset in offsets.items()
        }
        try:
            self._consumer.commit_async(positions, callback=_log_commit)
        except kafka_errors.KafkaError as error:
            _log.warning("offsets for lag tools were not committed: %s", error)

    def lag(self) -> dict[TopicPartition, int] | None:
        """See RecordSource. A partition appears with its first answer."""
        consumer = self._consumer
        if consumer is None or not self.connected:
            return None
        ends = {
            partition: readable_end(consumer, partition) for partition in self._placement.placed(consumer)
        }
        lags = {
            TopicPartition(*partition): max(0, end - position)
            for partition, end in ends.items()
            if end is not None and (position := position_of(consumer, partition)) is not None
        }
        return lags or None

    def transaction_waits(self) -> tuple[TransactionWait, ...]:
        """See RecordSource."""
        consumer = self._consumer
        if consumer is None:
            return ()
        return self._transactions.waits(consumer, self._placement.placed(consumer))

    @property
    def connected(self) -> bool:
        """See RecordSource."""
        return self._client is not None and self._client.has_connection

    @property
    def problem(self) -> str | None:
        """See RecordSource."""
        found = self._availability.problem(self._consumer, self._client)
        return None if found is None else str(found)

    def close(self, timeout_s: float) -> None:
        """See RecordSource."""
        consumer, self._consumer, self._client = self._consumer, None, None
        self._placement.reset()
        self._end_check.reset()
        self._stall_check.reset()
        self._transactions.reset()
        self._availability.reset()
        if consumer is not None:
            with contextlib.suppress(kafka_errors.KafkaError):
                consumer.close(autocommit=False, timeout_ms=timeout_s * 1000)

    def _poll_slice(self, wait_s: float, max_records: int) -> list[RawRecord]:
        consumer = self._open()
        try:
            with decompression_limit(self._settings.max_batch_bytes):
                batches = consumer.poll(timeout_ms=wait_s * 1000, max_records=max_records)
        except AllowanceSpent as error:
            clear_frames(error)
            return []  # the rest is fetched by the next poll, which has an allowance of its own
        except Unreadable as error:
            clear_frames(error)
            self._stall_check.note_unreadable(error)
            self._reading.failed(error)
            batches = {}
            time.sleep(wait_s)
        except kafka_errors.OffsetOutOfRangeError as error:
            partition, offset = next(iter(error.args[0].items()))
            raise offset_lost(consumer, partition, offset) from error
        except kafka_errors.LogTruncationError as error:
            partition = next(iter(error.divergent_offsets))
            raise offset_lost(consumer, partition, position_of(consumer, partition) or 0) from error
        except kafka_errors.KafkaError as error:
            self._availability.note_error(error, consumer)
            if not self._log_availability(consumer):
                self._reading.failed(error)
            time.sleep(wait_s)  # poll raises at once, and would again
            return []
        self._log_availability(consumer)
        self._placement.place(consumer)
        self._placement.check_topics(consumer, self.topic_id)
        if not batches:
            self._check_progress(consumer, wait_s)
            return []
        self._reading.recovered()
        self._stall_check.note_records()
        return [raw_record(record) for batch in batches.values() for record in batch]

    def _open(self) -> KafkaConsumer:
        if self._consumer is None:
            client_patches.apply()
            settings = self._settings
            self._consumer = KafkaConsumer(
                **connection(settings),
                kafka_client=self._make_client,
                group_id=settings.group_id,
                group_instance_id=settings.instance_id,
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                allow_auto_create_topics=False,
                session_timeout_ms=settings.session_timeout_ms,
                heartbeat_interval_ms=settings.heartbeat_interval_ms,
                max_poll_interval_ms=settings.max_poll_interval_ms,
                max_poll_records=settings.max_poll_records,
                metrics_enabled=False,
                metadata_max_age_ms=METADATA_MAX_AGE_MS,
            )
            self._consumer.subscribe([settings.topic], listener=AssignmentListener(self._hold_back))
        return self._consumer

    def _make_client(self, **configs: object) -> KafkaNetClient:
        self._client = Client(self._settings, **configs)
        self._client.cluster.add_listener(self._stall_check.note_answer)
        return self._client

    def _hold_back(self, assigned: Iterable[ClientPartition]) -> None:
        """Runs on the client's thread while ours waits in poll."""
        if self._consumer is not None:
            self._placement.hold_back(self._consumer, assigned)
            self._end_check.reset()

    def _log_availability(self, consumer: KafkaConsumer) -> bool:
        """Log why nothing can be read; return whether there is a reason.

        The consumer connects and learns of topics on a thread of its own, and reports neither.
        """
        problem = self._availability.problem(consumer, self._client)
        if problem is None:
            self._opening.recovered()
        elif self.connected or (self._client is not None and self._client.refusal is not None):
            self._opening.failed(problem)
        return problem is not None

    def _check_progress(self, consumer: KafkaConsumer, waited_s: float) -> None:
        """Look for the reason after a poll without records. Raises IntakeMustHalt."""
        placed = self._placement.placed(consumer)
        self._end_check.check(consumer, placed)
        if self._client is not None:
            self._stall_check.check(consumer, self._client, placed, waited_s)
        self._rejoin_if_unassigned(consumer, waited_s)

    def _rejoin_if_unassigned(self, consumer: KafkaConsumer, waited_s: float) -> None:
        """Join the group again if the topic has partitions and none is assigned for long.

        A group whose leader did not know the topic's partitions yet assigns none, and the client may never notice. If
        joining again does not help, the broker may have left a request unanswered that the client waits for: then join
        as a new member on a new connection.
        """
        cluster = None if self._client is None else self._client.cluster
        if consumer.assignment() or cluster is None or not cluster.partitions_for_topic(self._settings.topic):
            self._rejoin.reset()
            return
        attempted = self._rejoin.attempted
        if self._rejoin.due(waited_s):
            _log.warning("no partition of %s is assigned; joining the group again", self._settings.topic)
            if attempted:
                self.close(_LEAVE_GROUP_S)
            else:
                consumer._coordinator.request_rejoin()  # noqa: SLF001 - the client has no public way


def _log_commit(_offsets: object, outcome: object) -> None:
    if isinstance(outcome, Exception):
        _log.warning("offsets for lag tools were not committed: %s", outcome)
