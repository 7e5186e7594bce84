"""Reads a topic as a member of a consumer group."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping

from daemon.domain.backoff import Backoff
from daemon.domain.log_once import LogOnce
from daemon.domain.streams import (
    BatchTooLarge,
    FetchStalled,
    OffsetLost,
    RawRecord,
    StartOffsets,
    TopicPartition,
    TopicRecreated,
)
from daemon.kafka.batches import Unreadable, allowed, let_go
from daemon.kafka.connection import METADATA_TIMEOUT_MS, Client, connection, unreachable
from daemon.kafka.decompression import AllowanceSpent, TooLarge
from daemon.kafka.joining import TakingUpCoordinator
from daemon.kafka.library import (
    ClientPartition,
    ConsumerRebalanceListener,
    KafkaConsumer,
    KafkaNetClient,
    OffsetAndMetadata,
    consumer_group,
    kafka_errors,
)
from daemon.kafka.progress import Progress
from daemon.kafka.records import SLICE_S, raw_record
from daemon.kafka.settings import KafkaSettings

_log = logging.getLogger(__name__)

#: A new leader may report an end before our position for as long as its followers need to catch up.
_BEYOND_END_GRACE_S = 2.0
#: A topic that was made anew while we read it is noticed after this long, where the broker does not say so itself.
#: What was read of the new one until then is read again after the operator's seek, and counted once.
_METADATA_MAX_AGE_MS = 5_000
#: A broker that did not even answer the question for its topics meanwhile was out of reach.
_LONGEST_SILENCE_S = _METADATA_MAX_AGE_MS / 1000 + 2
#: A group takes some seconds to form, so much longer is too long without partitions.
_UNASSIGNED_S, _UNASSIGNED_LONGEST_S = 12.0, 600.0
_LEAVING_S = 1.0

consumer_group.ConsumerCoordinator = TakingUpCoordinator  # the client names the class itself


class KafkaSource:
    """A RecordSource over a consumer group.

    Nothing is connected before the first poll. Offsets never reset by themselves. Not thread-safe:
    all calls come from one thread.
    """

    def __init__(self, settings: KafkaSettings, *, start_offsets: StartOffsets) -> None:
        self._settings = settings
        self._start_offsets = start_offsets
        self._client: Client | None = None
        self._consumer: KafkaConsumer | None = None
        self._unplaced: set[ClientPartition] = set()
        self._beyond_end_since: dict[ClientPartition, float] = {}
        self._counted_in: dict[str, str] = {}  # topic -> id of the topic that its offsets belong to
        self._progress = Progress(settings.stalled_after_s, longest_silence_s=_LONGEST_SILENCE_S)
        self._answered_at: float | None = None
        self._unreadable: dict[ClientPartition, Unreadable] = {}
        self._polled_s = 0.0  # time spent in polls
        self._unassigned = Backoff(_UNASSIGNED_S, _UNASSIGNED_LONGEST_S)  # on that clock
        self._unassigned.fail(self._polled_s)
        self._joined_again = False  # since partitions were assigned last
        self._log_once = LogOnce("reading from Kafka", _log)
        self._unreachable = LogOnce("connecting to Kafka", _log)

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[RawRecord]:
        """See RecordSource."""
        deadline = time.monotonic() + timeout_s
        while True:
            wait_s = max(0.0, min(deadline - time.monotonic(), SLICE_S))
            records = self._poll_slice(wait_s, max_records or self._settings.max_poll_records)
            if records or time.monotonic() >= deadline:
                return records

    def topic_id(self, topic: str) -> str | None:
        """See RecordSource. As of the client's last look at the cluster."""
        found = None if self._client is None else self._client.cluster.topic_id(topic)
        return None if found is None or not found.int else str(found)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """See RecordSource. Fire and forget; a failure is logged."""
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
        if self._consumer is None or not self.connected:
            return None
        ends = {part: self._consumer.highwater(part) for part in self._consumer.assignment() - self._unplaced}
        lags = {
            TopicPartition(*part): max(0, end - position)
            for part, end in ends.items()
            if end is not None and (position := self._position(part)) is not None
        }
        return lags or None

    @property
    def connected(self) -> bool:
        """See RecordSource."""
        client = self._client
        return client is not None and any(
            client.connected(broker.node_id) for broker in client.cluster.brokers()
        )

    def close(self, timeout_s: float) -> None:
        """See RecordSource."""
        consumer, self._consumer, self._client = self._consumer, None, None
        self._counted_in.clear()
        self._unreadable.clear()
        self._progress.start_over()
        self._answered_at = None
        if consumer is not None:
            with contextlib.suppress(kafka_errors.KafkaError):
                consumer.close(autocommit=False, timeout_ms=timeout_s * 1000)

    def _poll_slice(self, wait_s: float, max_records: int) -> list[RawRecord]:
        consumer = self._open()
        try:
            with allowed(self._settings.max_batch_bytes):
                batches = consumer.poll(timeout_ms=wait_s * 1000, max_records=max_records)
        except AllowanceSpent as error:
            let_go(error)
            return []  # fetched again, with an allowance of its own
        except Unreadable as error:
            let_go(error)
            self._note_unreadable(error)
            batches = {}
            time.sleep(wait_s)
        except kafka_errors.OffsetOutOfRangeError as error:
            raise self._lost(*next(iter(error.args[0].items()))) from error
        except kafka_errors.LogTruncationError as error:
            part = next(iter(error.divergent_offsets))
            raise self._lost(part, self._position(part) or 0) from error
        except kafka_errors.KafkaError as error:
            self._log_once.failed(error)
            time.sleep(wait_s)  # errors come at once, and again
            return []
        self._note_connection()
        self._place_assigned(consumer)
        self._refuse_other_topic(consumer)
        if not batches:
            self._refuse_beyond_end(consumer)
            self._refuse_stalled(consumer, wait_s)
            self._join_again(consumer, wait_s)
            return []
        self._log_once.recovered()
        self._unreadable.clear()
        return [raw_record(record) for batch in batches.values() for record in batch]

    def _open(self) -> KafkaConsumer:
        if self._consumer is None:
            settings = self._settings
            self._consumer = KafkaConsumer(
                **connection(settings),
                kafka_client=self._make_client,
                group_id=settings.group_id,
                group_instance_id=settings.instance_id,
                enable_auto_commit=False,
                auto_offset_reset="none",
                allow_auto_create_topics=False,
                session_timeout_ms=settings.session_timeout_ms,
                heartbeat_interval_ms=settings.heartbeat_interval_ms,
                max_poll_interval_ms=settings.max_poll_interval_ms,
                max_poll_records=settings.max_poll_records,
                metrics_enabled=False,
                metadata_max_age_ms=_METADATA_MAX_AGE_MS,
            )
            self._consumer.subscribe([settings.topic], listener=_HoldBack(self._hold_back))
        return self._consumer

    def _make_client(self, **configs: object) -> KafkaNetClient:
        self._client = Client(self._settings, **configs)
        self._client.cluster.add_listener(self._note_answer)
        return self._client

    def _note_connection(self) -> None:
        """The consumer connects on a thread of its own and never tells of a failure."""
        if self.connected:
            self._unreachable.recovered()
        elif self._client is not None and self._client.refusal is not None:
            self._unreachable.failed(unreachable(self._settings, self._client.refusal))

    def _note_answer(self, _cluster: object) -> None:
        """Runs on the client's thread, whenever the broker has told of its topics."""
        self._answered_at = time.monotonic()

    def _note_unreadable(self, error: "Unreadable") -> None:
        """Remember a batch that can't be read: it is fetched again, for it may have been harmed on its way."""
        if isinstance(error.cause, TooLarge):
            raise BatchTooLarge(
                TopicPartition(*error.part),
                error.offset,
                next_offset=error.next_offset,
                limit=self._settings.max_batch_bytes,
            ) from error
        self._log_once.failed(error)
        self._unreadable[error.part] = error

    def _hold_back(self, assigned: Iterable[ClientPartition]) -> None:
        """Keep new partitions from being fetched until they are placed.

        Runs on the client's thread while ours waits in poll: too early to ask the ledger.
        """
        if self._consumer is not None:
            self._unplaced = set(assigned)
            self._beyond_end_since.clear()
            if self._unplaced:
                self._consumer.pause(*self._unplaced)
                self._consumer.seek_to_beginning(*self._unplaced)

    def _place_assigned(self, consumer: KafkaConsumer) -> None:
        if not self._unplaced:
            return
        starts = self._start_offsets([TopicPartition(*part) for part in self._unplaced])
        for part in self._unplaced:
            if (start := starts.get(TopicPartition(*part))) is not None:
                consumer.seek(part, start.offset)
                if start.topic_id is not None:
                    self._counted_in[part.topic] = start.topic_id
        consumer.resume(*self._unplaced)
        _log.info("partitions assigned: %s", sorted(self._unplaced), extra={"action": "assign"})
        self._unplaced = set()

    def _join_again(self, consumer: KafkaConsumer, waited_s: float) -> None:
        """Ask for partitions again where there are some and we were given none.

        A group whose leader did not know the topic's partitions yet gives out none, and the client may never notice.
        Where that does not help, the broker may have left its joining without an answer, which the client would wait
        for: then it joins anew, as another member on another connection. More replicas than partitions look the same,
        so it is asked ever more rarely.
        """
        cluster = None if self._client is None else self._client.cluster
        if consumer.assignment() or cluster is None or not cluster.partitions_for_topic(self._settings.topic):
            self._wait_for_partitions()
            return
        self._polled_s += waited_s
        if self._unassigned.ready(self._polled_s):
            self._unassigned.fail(self._polled_s)
            _log.warning("no partition of %s is assigned: joins its group again", self._settings.topic)
            if self._joined_again:
                self.close(_LEAVING_S)
            else:
                consumer._coordinator.request_rejoin()  # noqa: SLF001 - the client has no other way
            self._joined_again = True

    def _wait_for_partitions(self) -> None:
        """Begin the first wait: there are partitions, or there is nothing to be given out yet."""
        self._unassigned.reset()
        self._unassigned.fail(self._polled_s)
        self._joined_again = False

    def _refuse_other_topic(self, consumer: KafkaConsumer) -> None:
        """Raise TopicRecreated where another topic has taken the name since the offsets were counted."""
        for part in consumer.assignment() - self._unplaced:
            found = self.topic_id(part.topic)
            known = self._counted_in.setdefault(part.topic, found) if found else None
            if known != found:
                offset = self._position(part) or 0
                raise TopicRecreated(TopicPartition(*part), offset, known=known or "", found=found or "")

    def _refuse_stalled(self, consumer: KafkaConsumer, waited_s: float) -> None:
        """Raise FetchStalled where records wait and none has come for as long as the settings bear."""
        if self._client is None or self._answered_at is None:
            return
        self._progress.answered(self._answered_at)
        for part in consumer.assignment() - self._unplaced:
            position, leader = self._position(part), self._client.cluster.leader_for_partition(part)
            # An end is as old as the last answer to a fetch.
            end = None if leader in consumer._fetcher.failing else consumer.highwater(part)  # noqa: SLF001
            if position is not None and self._progress.stalled(
                TopicPartition(*part), position, end, waited_s, reachable=self._client.connected(leader)
            ):
                raise self._stalled(part, position, end)

    def _stalled(self, part: ClientPartition, position: int, end: int | None) -> FetchStalled:
        behind = "its end is unknown" if end is None else f"the topic has records up to {end}"
        unreadable = self._unreadable.get(part)
        why = unreadable or "a record batch may be too large to fetch"
        return FetchStalled(
            TopicPartition(*part),
            position,
            f"nothing has come from offset {position} on in {self._settings.stalled_after_s:g} s of polling, "
            f"though the broker is connected and {behind}: {why}",
            next_offset=unreadable.next_offset if unreadable else None,
        )

    def _refuse_beyond_end(self, consumer: KafkaConsumer) -> None:
        """Raise OffsetLost where the topic ends before our position.

        A broker need not say so: it may wait with us until the topic has grown past our position.
        """
        now = time.monotonic()
        for part in consumer.assignment() - self._unplaced:
            end, position = consumer.highwater(part), self._position(part)
            if end is None or position is None or position <= end:
                self._beyond_end_since.pop(part, None)
            elif now - self._beyond_end_since.setdefault(part, now) >= _BEYOND_END_GRACE_S:
                raise self._lost(part, position)

    def _position(self, part: ClientPartition) -> int | None:
        if self._consumer is None:
            return None
        with contextlib.suppress(kafka_errors.KafkaError):
            position: int | None = self._consumer.position(part, timeout_ms=0)
            return position
        return None

    def _lost(self, part: ClientPartition, offset: int) -> OffsetLost:
        first = end = None
        if self._consumer is not None:
            end = self._consumer.highwater(part)
            with contextlib.suppress(kafka_errors.KafkaError):
                first = self._consumer.beginning_offsets([part], timeout_ms=METADATA_TIMEOUT_MS)[part]
                if end is None:  # no fetch has succeeded yet
                    end = self._consumer.end_offsets([part], timeout_ms=METADATA_TIMEOUT_MS)[part]
        return OffsetLost(TopicPartition(*part), offset, (first, end))


class _HoldBack(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells the source which partitions it was given."""

    def __init__(self, hold_back: Callable[[Iterable[ClientPartition]], None]) -> None:
        self._hold_back = hold_back

    def on_partitions_revoked(self, revoked: Iterable[ClientPartition]) -> None:
        """Nothing to save: the ledger already has the offsets."""

    def on_partitions_assigned(self, assigned: Iterable[ClientPartition]) -> None:
        """Hold all of them back."""
        self._hold_back(assigned)


def _log_commit(_offsets: object, outcome: object) -> None:
    if isinstance(outcome, Exception):
        _log.warning("offsets for lag tools were not committed: %s", outcome)
