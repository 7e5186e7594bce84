"""Kafka through kafka-python. No other file imports it."""

import contextlib
import logging
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from daemon.decompression import Allowance, AllowanceSpent, DecompressionError, TooLarge
from daemon.kafka_refusals import explained
from daemon.kafka_settings import KafkaSettings
from daemon.kafka_tls import ClientTls
from daemon.progress import Progress
from daemon.streams import (
    BatchTooLarge,
    BrokerUnreachable,
    FetchStalled,
    Headers,
    OffsetLost,
    RawRecord,
    StartOffsets,
    TopicPartition,
    TopicRecreated,
)
from daemon.trouble import Trouble

with warnings.catch_warnings():
    # The client reads its schemas with functions that Python 3.11 and 3.12 deprecate.
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer  # type: ignore[import-untyped]
    from kafka import TopicPartition as ClientPartition
    from kafka import errors as kafka_errors
    from kafka.consumer import group as consumer_group  # type: ignore[import-untyped]
    from kafka.consumer.fetcher import Fetcher  # type: ignore[import-untyped]
    from kafka.consumer.subscription_state import ConsumerRebalanceListener  # type: ignore[import-untyped]
    from kafka.net.compat import KafkaNetClient  # type: ignore[import-untyped]
    from kafka.net.manager import KafkaConnectionManager  # type: ignore[import-untyped]
    from kafka.net.selector import NetworkSelector  # type: ignore[import-untyped]
    from kafka.record import memory_records  # type: ignore[import-untyped]
    from kafka.record.default_records import DefaultRecordBatch  # type: ignore[import-untyped]
    from kafka.record.legacy_records import LegacyRecordBatch  # type: ignore[import-untyped]
    from kafka.structs import OffsetAndMetadata  # type: ignore[import-untyped]

_log = logging.getLogger(__name__)

#: The newest protocol that the client knows. Each connection comes down to what its broker speaks;
#: without it the constructors would wait for a broker.
_NEWEST_API = (4, 3)
_RECONNECT_MAX_MS = 2_000
#: One wait inside poll. Newly assigned partitions are placed between two waits.
_SLICE_S = 0.1
#: A new leader may report an end before our position for as long as its followers need to catch up.
_BEYOND_END_GRACE_S = 2.0
#: Sending waits this long for a topic's partitions; a flush overruns its time-out by no more.
_METADATA_TIMEOUT_MS = 1_000
#: A topic that was made anew while we read it is noticed after this long, where the broker does not say so itself.
#: What was read of the new one until then is read again after the operator's seek, and counted once.
_METADATA_MAX_AGE_MS = 5_000
#: A broker that did not even answer the question for its topics meanwhile was out of reach.
_LONGEST_SILENCE_S = _METADATA_MAX_AGE_MS / 1000 + 2
#: The broker limits the size of a record, not the client.
_MAX_REQUEST_BYTES = 64 * 2**20
_DELIVERY_TIMEOUT_MS = 30_000
#: Records that nobody wants, from which on to seek behind them is faster than to read over them.
_WORTH_A_SEEK = 1_000


class KafkaSource:
    """A RecordSource over a consumer group.

    Nothing is connected before the first poll. Offsets never reset by themselves. Not thread-safe:
    all calls come from one thread.
    """

    def __init__(self, settings: KafkaSettings, *, start_offsets: StartOffsets) -> None:
        self._settings = settings
        self._start_offsets = start_offsets
        self._client: _Client | None = None
        self._consumer: KafkaConsumer | None = None
        self._unplaced: set[ClientPartition] = set()
        self._beyond_end_since: dict[ClientPartition, float] = {}
        self._counted_in: dict[str, str] = {}  # topic -> id of the topic that its offsets belong to
        self._progress = Progress(settings.stalled_after_s, longest_silence_s=_LONGEST_SILENCE_S)
        self._answered_at: float | None = None
        self._unreadable: dict[ClientPartition, _Unreadable] = {}
        self._trouble = Trouble("reading from Kafka", _log)
        self._unreachable = Trouble("connecting to Kafka", _log)

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[RawRecord]:
        """See RecordSource."""
        deadline = time.monotonic() + timeout_s
        while True:
            wait_s = max(0.0, min(deadline - time.monotonic(), _SLICE_S))
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
            with _allowed(self._settings.max_batch_bytes):
                batches = consumer.poll(timeout_ms=wait_s * 1000, max_records=max_records)
        except AllowanceSpent as error:
            _let_go(error)
            return []  # fetched again, with an allowance of its own
        except _Unreadable as error:
            _let_go(error)
            self._note_unreadable(error)
            batches = {}
            time.sleep(wait_s)
        except kafka_errors.OffsetOutOfRangeError as error:
            raise self._lost(*next(iter(error.args[0].items()))) from error
        except kafka_errors.LogTruncationError as error:
            part = next(iter(error.divergent_offsets))
            raise self._lost(part, self._position(part) or 0) from error
        except kafka_errors.KafkaError as error:
            self._trouble.note(error)
            time.sleep(wait_s)  # errors come at once, and again
            return []
        self._note_connection()
        self._place_assigned(consumer)
        self._refuse_other_topic(consumer)
        if not batches:
            self._refuse_beyond_end(consumer)
            self._refuse_stalled(consumer, wait_s)
            return []
        self._trouble.over()
        self._unreadable.clear()
        return [_raw(record) for batch in batches.values() for record in batch]

    def _open(self) -> KafkaConsumer:
        if self._consumer is None:
            settings = self._settings
            self._consumer = KafkaConsumer(
                **_connection(settings),
                kafka_client=self._make_client,
                group_id=settings.group_id,
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
        self._client = _Client(self._settings, **configs)
        self._client.cluster.add_listener(self._note_answer)
        return self._client

    def _note_connection(self) -> None:
        """The consumer connects on a thread of its own and never tells of a failure."""
        if self.connected:
            self._unreachable.over()
        elif self._client is not None and self._client.refusal is not None:
            self._unreachable.note(_unreachable(self._settings, self._client.refusal))

    def _note_answer(self, _cluster: object) -> None:
        """Runs on the client's thread, whenever the broker has told of its topics."""
        self._answered_at = time.monotonic()

    def _note_unreadable(self, error: "_Unreadable") -> None:
        """Remember a batch that can't be read: it is fetched again, for it may have been harmed on its way."""
        if isinstance(error.cause, TooLarge):
            raise BatchTooLarge(
                TopicPartition(*error.part),
                error.offset,
                next_offset=error.next_offset,
                limit=self._settings.max_batch_bytes,
            ) from error
        self._trouble.note(error)
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
                first = self._consumer.beginning_offsets([part], timeout_ms=_METADATA_TIMEOUT_MS)[part]
                if end is None:  # no fetch has succeeded yet
                    end = self._consumer.end_offsets([part], timeout_ms=_METADATA_TIMEOUT_MS)[part]
        return OffsetLost(TopicPartition(*part), offset, (first, end))


class _Manager(KafkaConnectionManager):  # type: ignore[misc]
    """Remembers why the latest connection did not come about: the client only logs it, and tries again."""

    refusal: Exception | None = None

    async def _connect(self, node: object, conn: Any, *args: object, **options: object) -> None:
        conn.init_future.add_both(self._note)
        # A broker that wants a password hangs up on the first request after the greeting.
        conn.close_future.add_errback(self._note)
        await super()._connect(node, conn, *args, **options)

    def _note(self, outcome: object) -> None:
        self.refusal = outcome if isinstance(outcome, Exception) else None


class _Client(KafkaNetClient):  # type: ignore[misc]
    """The client's own, with the manager above and TLS of ours."""

    def __init__(self, settings: KafkaSettings, **configs: object) -> None:
        net = NetworkSelector(**configs)
        if settings.security_protocol in ("SSL", "SASL_SSL"):
            configs["ssl_context"] = ClientTls(settings, later=net.call_later)
        super().__init__(net=net, manager=_Manager(net, **configs))

    @property
    def refusal(self) -> Exception | None:
        """Why the latest connection did not come about; None where it did."""
        found: Exception | None = self._manager.refusal
        return found


#: What the poll that is going on may still take out of compression.
_allowance: ContextVar[Allowance] = ContextVar("_allowance")


@contextlib.contextmanager
def _allowed(limit: int) -> Iterator[None]:
    token = _allowance.set(Allowance(limit))
    try:
        yield
    finally:
        _allowance.reset(token)


def _let_go(error: BaseException) -> None:
    """Free what the calls behind an error hold: the client's refer to each other in a circle, batches in hand."""
    behind: BaseException | None = error
    while behind is not None:
        traceback.clear_frames(behind.__traceback__)
        behind = behind.__context__


class _Unreadable(kafka_errors.KafkaError):  # type: ignore[misc]
    """A record batch that was fetched and can't be taken apart."""

    def __init__(self, part: ClientPartition, offset: int, next_offset: int, cause: Exception) -> None:
        super().__init__(
            f"the record batch at offset {offset} can't be read: {str(cause) or type(cause).__name__}"
        )
        self.part = part
        self.offset = offset
        self.next_offset = next_offset  # of the batch behind it
        self.cause = cause


class _BoundedBatch(DefaultRecordBatch):  # type: ignore[misc]
    """A batch that takes no more than the allowance out of its compression. The client itself knows no bound."""

    _buffer: bytearray
    _pos: int
    _decompressed: bool

    def _maybe_uncompress(self) -> None:
        if not self._decompressed and self.compression_type != self.CODEC_NONE:
            data = bytes(memoryview(self._buffer)[self._pos :])
            self._buffer = _decompressed(self.compression_type, data)
            self._pos = 0
        self._decompressed = True


class _BoundedLegacyBatch(LegacyRecordBatch):  # type: ignore[misc]
    """The same for the formats before Kafka 0.11."""

    def _decompress(self, key_offset: int) -> bytearray:
        _, data = self._read_key_value(key_offset)
        return _decompressed(self.compression_type, data or b"")


def _decompressed(codec: int, data: bytes) -> bytearray:
    if codec not in _CODECS:
        raise kafka_errors.UnsupportedCodecError(f"no compression has the number {codec}")
    return _allowance.get().decompress(_CODECS[codec], data)


_CODECS = {
    DefaultRecordBatch.CODEC_GZIP: "gzip",
    DefaultRecordBatch.CODEC_SNAPPY: "snappy",
    DefaultRecordBatch.CODEC_LZ4: "lz4",
    DefaultRecordBatch.CODEC_ZSTD: "zstd",
}


class _Batches:
    """The batches of one partition in one answer; remembers the one that is being read."""

    def __init__(self, records: memory_records.MemoryRecords) -> None:
        self._records = records
        self.current: DefaultRecordBatch | LegacyRecordBatch | None = None

    def next_batch(self) -> DefaultRecordBatch | LegacyRecordBatch | None:
        self.current = self._records.next_batch()
        return self.current


class _CarefulRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """Records of one partition in one answer. What can't be read is named, and fetched again.

    The client's own would be asked for records for ever after an error, and poll never come back.
    """

    def __init__(self, fetch_offset: int, tp: ClientPartition, records: object, **options: object) -> None:
        self._batches = _Batches(records)
        super().__init__(fetch_offset, tp, self._batches, **options)

    def take(self, n: int | None = None) -> list["_ClientRecord"]:
        try:
            taken: list[_ClientRecord] = super().take(n)
        except AllowanceSpent:
            self.drain()
            raise
        except (kafka_errors.KafkaError, DecompressionError, TooLarge) as error:
            self.drain()
            offset = self.next_fetch_offset
            behind = getattr(self._batches.current, "next_offset", offset + 1)
            raise _Unreadable(self.topic_partition, offset, behind, error) from error
        return taken


class _WatchedFetcher(Fetcher):  # type: ignore[misc]
    """Remembers the brokers whose last fetch failed: an answer too large for the client is a lost connection to it."""

    PartitionRecords = _CarefulRecords

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.failing: set[int] = set()

    def _handle_fetch_response(self, node_id: int, *rest: object) -> None:
        self.failing.discard(node_id)
        super()._handle_fetch_response(node_id, *rest)

    def _handle_fetch_error(self, node_id: int, exception: Exception) -> None:
        self.failing.add(node_id)
        super()._handle_fetch_error(node_id, exception)


# The client names these classes itself, so ours are put in their place here, once.
memory_records.DefaultRecordBatch = _BoundedBatch
memory_records.LegacyRecordBatch = _BoundedLegacyBatch
consumer_group.Fetcher = _WatchedFetcher


class _HoldBack(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells the source which partitions it was given."""

    def __init__(self, hold_back: Callable[[Iterable[ClientPartition]], None]) -> None:
        self._hold_back = hold_back

    def on_partitions_revoked(self, revoked: Iterable[ClientPartition]) -> None:
        """Nothing to save: the ledger already has the offsets."""

    def on_partitions_assigned(self, assigned: Iterable[ClientPartition]) -> None:
        """Hold all of them back."""
        self._hold_back(assigned)


class _Delivery(Protocol):
    """The client's future of one record."""

    is_done: bool

    def get(self, timeout: float) -> object: ...


@dataclass(slots=True)
class _Letter:
    """A queued record. ``delivery`` is the client's future; None: not handed to the client."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    delivery: "_Delivery | None" = None


class KafkaSink:
    """A RecordSink over an idempotent producer. Nothing is connected before the first flush."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: KafkaProducer | None = None
        self._queue: deque[_Letter] = deque()
        self._trouble = Trouble("writing to Kafka", _log)
        self._client: _Client | None = None

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """See RecordSink."""
        self._queue.append(_Letter(topic, key, value, list(headers)))

    def flush(self, timeout_s: float) -> bool:
        """See RecordSink. Takes up to a second more where a topic's partitions are unknown."""
        deadline = time.monotonic() + timeout_s
        try:
            self._hand_over(deadline)
            while self._queue:
                self._await_first(max(0.0, deadline - time.monotonic()))
        except kafka_errors.KafkaTimeoutError as error:
            refusal = None if self._client is None else self._client.refusal
            self._trouble.note(error if refusal is None else _unreachable(self._settings, refusal))
        except kafka_errors.KafkaError as error:
            # A producer may never recover from some errors (a broker that forgot it); a new one does.
            self._trouble.note(error)
            self._discard_producer(0.0)
        else:
            self._trouble.over()
        return not self._queue

    def close(self, timeout_s: float) -> bool:
        """See RecordSink."""
        deadline = time.monotonic() + timeout_s
        delivered = not self._queue or self.flush(timeout_s / 2)
        self._discard_producer(max(0.1, deadline - time.monotonic()))
        return delivered

    def _hand_over(self, deadline: float) -> None:
        for letter in self._queue:
            if letter.delivery is None:
                if time.monotonic() > deadline:
                    raise kafka_errors.KafkaTimeoutError("no time left to hand over")
                letter.delivery = self._open().send(
                    letter.topic, key=letter.key, value=letter.value, headers=letter.headers
                )

    def _await_first(self, timeout_s: float) -> None:
        letter = self._queue[0]
        if letter.delivery is not None:
            try:
                letter.delivery.get(timeout=timeout_s)
            except kafka_errors.KafkaError:
                if letter.delivery.is_done:
                    letter.delivery = None  # refused: it goes again
                raise
        self._queue.popleft()

    def _open(self) -> KafkaProducer:
        if self._producer is None:
            self._producer = KafkaProducer(
                **_connection(self._settings),
                kafka_client=self._make_client,
                acks="all",
                max_block_ms=_METADATA_TIMEOUT_MS,
                delivery_timeout_ms=_DELIVERY_TIMEOUT_MS,
                max_request_size=_MAX_REQUEST_BYTES,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        return self._producer

    def _make_client(self, **configs: object) -> KafkaNetClient:
        self._client = _Client(self._settings, **configs)
        return self._client

    def _discard_producer(self, timeout_s: float) -> None:
        producer, self._producer = self._producer, None
        for letter in self._queue:
            letter.delivery = None
        if producer is not None:
            # With a record that can't be delivered, close() gives up before it has freed anything.
            producer._sender.force_close()  # noqa: SLF001
            with contextlib.suppress(kafka_errors.KafkaError):
                producer.close(timeout=timeout_s)


def check_broker(settings: KafkaSettings, *, timeout_s: float = 5.0) -> int:
    """Count the cluster's brokers. Raises BrokerUnreachable."""
    with _admin(settings, timeout_s) as admin:
        return len(admin.describe_cluster()["brokers"])


def topic_partitions(settings: KafkaSettings, topic: str, *, timeout_s: float = 5.0) -> int | None:
    """Count a topic's partitions; None if there is no such topic. Raises BrokerUnreachable."""
    with _admin(settings, timeout_s) as admin:
        found = admin.describe_topics([topic])[0]
        return None if found["error_code"] else len(found["partitions"])


def topic_exists(settings: KafkaSettings, topic: str, *, timeout_s: float = 5.0) -> bool:
    """Tell whether the broker has a topic. Raises BrokerUnreachable."""
    return topic_partitions(settings, topic, timeout_s=timeout_s) is not None


def create_topic(settings: KafkaSettings, topic: str, *, partitions: int, timeout_s: float = 5.0) -> bool:
    """Create a topic with the broker's default replication; False if it exists already.

    Raises BrokerUnreachable.
    """
    with _admin(settings, timeout_s) as admin:
        try:
            admin.create_topics({topic: {"num_partitions": partitions}}, timeout_ms=int(timeout_s * 1000))
        except kafka_errors.TopicAlreadyExistsError:
            return False
        return True


def fetch_records(
    settings: KafkaSettings, wanted: Mapping[TopicPartition, Iterable[int]], *, timeout_s: float = 10.0
) -> Iterator[RawRecord]:
    """Read the records at these offsets, outside of any group; those that a topic no longer has are left out.

    Raises BrokerUnreachable where nothing comes for ``timeout_s``.
    """
    consumer = KafkaConsumer(
        **_connection(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # where the first that is wanted has expired
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )
    try:
        for source, offsets in wanted.items():
            yield from _fetch(consumer, ClientPartition(*source), deque(sorted(offsets)), timeout_s)
    except kafka_errors.KafkaError as error:
        raise BrokerUnreachable(f"reading from {settings.topic} failed: {error}; check the broker") from error
    finally:
        consumer.close(autocommit=False, timeout_ms=1_000)


def _fetch(
    consumer: KafkaConsumer, part: ClientPartition, wanted: deque[int], timeout_s: float
) -> Iterator[RawRecord]:
    if not wanted:
        return
    consumer.assign([part])
    consumer.seek(part, wanted[0])
    heard_at = time.monotonic()
    while wanted:
        records = consumer.poll(timeout_ms=_SLICE_S * 1000).get(part, ())
        for record in records:
            while wanted and wanted[0] < record.offset:
                wanted.popleft()
            if wanted and wanted[0] == record.offset:
                wanted.popleft()
                yield _raw(record)
        if records:
            heard_at = time.monotonic()
            if wanted and wanted[0] - records[-1].offset > _WORTH_A_SEEK:
                consumer.seek(part, wanted[0])
        elif _at_end(consumer, part):
            return
        elif time.monotonic() - heard_at > timeout_s:
            raise BrokerUnreachable(
                f"nothing came from {part.topic}/{part.partition}@{wanted[0]} in {timeout_s:g} s; check the broker"
            )


def _at_end(consumer: KafkaConsumer, part: ClientPartition) -> bool:
    end = consumer.highwater(part)
    with contextlib.suppress(kafka_errors.KafkaError):
        return end is not None and consumer.position(part, timeout_ms=0) >= end
    return False


@contextlib.contextmanager
def _admin(settings: KafkaSettings, timeout_s: float) -> Iterator[KafkaAdminClient]:
    """Ask the cluster something. Connecting may take the time-out, and each question again."""
    client: _Client | None = None
    timeout_ms = int(timeout_s * 1000)
    connection = {
        **_connection(settings),
        "request_timeout_ms": min(settings.request_timeout_ms, timeout_ms),
    }

    def make_client(**configs: object) -> KafkaNetClient:
        nonlocal client
        client = _Client(
            settings,
            **configs,
            socket_connection_setup_timeout_ms=timeout_ms,
            socket_connection_setup_timeout_max_ms=timeout_ms,
        )
        return client

    try:
        yield KafkaAdminClient(**connection, kafka_client=make_client, bootstrap_timeout_ms=timeout_ms)
    except kafka_errors.KafkaError as error:
        refusal = None if client is None else client.refusal
        raise _unreachable(settings, refusal or error, timeout_s=timeout_s) from error
    finally:
        if client is not None:  # also where the constructor failed
            client.close()


def _unreachable(
    settings: KafkaSettings, error: Exception, *, timeout_s: float | None = None
) -> BrokerUnreachable:
    servers = ", ".join(settings.bootstrap_servers)
    within = "" if timeout_s is None else f" within {timeout_s:g} s"
    return BrokerUnreachable(f"no use of the broker at {servers}{within}: {explained(error, settings)}")


def _connection(settings: KafkaSettings) -> dict[str, object]:
    return {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": settings.client_id,
        "api_version": settings.api_version or _NEWEST_API,
        "request_timeout_ms": settings.request_timeout_ms,
        "reconnect_backoff_max_ms": _RECONNECT_MAX_MS,
        "security_protocol": settings.security_protocol,
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": settings.sasl_password,
    }


def _log_commit(_offsets: object, outcome: object) -> None:
    if isinstance(outcome, Exception):
        _log.warning("offsets for lag tools were not committed: %s", outcome)


class _ClientRecord(Protocol):
    """A record as the client hands it out."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def _raw(record: _ClientRecord) -> RawRecord:
    return RawRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )
