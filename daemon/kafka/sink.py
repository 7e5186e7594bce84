"""Writes records to topics, each at least once."""

import contextlib
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from daemon.domain.log_once import LogOnce
from daemon.domain.streams import Headers, StreamError, TopicMissing
from daemon.kafka import client_patches
from daemon.kafka.connection import METADATA_TIMEOUT_MS, Client, connection, no_connection
from daemon.kafka.library import KafkaNetClient, KafkaProducer, kafka_errors
from daemon.kafka.rights import Right, access_denied, denial
from daemon.kafka.settings import KafkaSettings

_log = logging.getLogger(__name__)

#: Larger than any broker's limit: the broker decides on the size of a record, not the client.
_MAX_REQUEST_BYTES = 64 * 2**20
_DELIVERY_TIMEOUT_MS = 30_000


class _Delivery(Protocol):
    """The client's future of one record."""

    is_done: bool

    def get(self, timeout: float) -> object: ...


@dataclass(slots=True)
class _QueuedRecord:
    """A record to write. ``delivery`` is the client's future; None while the client does not have it."""

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
        self._queue: deque[_QueuedRecord] = deque()
        self._writing = LogOnce("writing to Kafka", _log)
        self._client: Client | None = None
        self._problem: StreamError | None = None

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """See RecordSink."""
        self._queue.append(_QueuedRecord(topic, key, value, list(headers)))

    def flush(self, timeout_s: float) -> bool:
        """See RecordSink. Takes up to a second longer while a topic's partitions are unknown."""
        deadline = time.monotonic() + timeout_s
        try:
            self._send_queued(deadline)
            while self._queue:
                self._await_first(max(0.0, deadline - time.monotonic()))
        except kafka_errors.KafkaTimeoutError as error:
            self._note_failure(error)
        except kafka_errors.KafkaError as error:
            self._note_failure(error)
            # A producer may never recover from some errors, such as a broker that forgot it; a new one does.
            self._discard_producer(0.0)
        else:
            self._problem = None
            self._writing.recovered()
        return not self._queue

    def _note_failure(self, error: Exception) -> None:
        self._problem = self._explained(error)
        self._writing.failed(self._problem)

    def _explained(self, error: Exception) -> StreamError:
        """Return the reason behind an error: a right, a missing topic, or no connection."""
        if (denied := denial(error, self._settings)) is not None:
            return denied
        client = self._client
        if client is None or not client.has_connection:
            return no_connection(self._settings, client)
        topic = self._queue[0].topic
        if topic in client.cluster.unauthorized_topics:
            return access_denied(Right(operation="WRITE", resource="topic", name=topic), self._settings)
        if client.cluster.partitions_for_topic(topic) is None:
            return TopicMissing(topic, setting="kafka.dead_letter_topic")
        return StreamError(f"the broker did not take the record: {error}")

    @property
    def problem(self) -> str | None:
        """See RecordSink."""
        return None if self._problem is None else str(self._problem)

    def close(self, timeout_s: float) -> bool:
        """See RecordSink."""
        deadline = time.monotonic() + timeout_s
        delivered = not self._queue or self.flush(timeout_s / 2)
        self._discard_producer(max(0.1, deadline - time.monotonic()))
        return delivered

    def _send_queued(self, deadline: float) -> None:
        for record in self._queue:
            if record.delivery is None:
                if time.monotonic() > deadline:
                    raise kafka_errors.KafkaTimeoutError("no time left to send")
                record.delivery = self._open().send(
                    record.topic, key=record.key, value=record.value, headers=record.headers
                )

    def _await_first(self, timeout_s: float) -> None:
        record = self._queue[0]
        if record.delivery is not None:
            try:
                record.delivery.get(timeout=timeout_s)
            except kafka_errors.KafkaError:
                if record.delivery.is_done:
                    record.delivery = None  # refused: sent again by the next flush
                raise
        self._queue.popleft()

    def _open(self) -> KafkaProducer:
        if self._producer is None:
            client_patches.apply()
            self._producer = KafkaProducer(
                **connection(self._settings),
                kafka_client=self._make_client,
                acks="all",
                max_block_ms=METADATA_TIMEOUT_MS,
                delivery_timeout_ms=_DELIVERY_TIMEOUT_MS,
                max_request_size=_MAX_REQUEST_BYTES,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        return self._producer

    def _make_client(self, **configs: object) -> KafkaNetClient:
        self._client = Client(self._settings, **configs)
        return self._client

    def _discard_producer(self, timeout_s: float) -> None:
        producer, self._producer = self._producer, None
        for record in self._queue:
            record.delivery = None
        if producer is not None:
            # With an undeliverable record, close() alone would give up before it frees anything.
            producer._sender.force_close()  # noqa: SLF001
            with contextlib.suppress(kafka_errors.KafkaError):
                producer.close(timeout=timeout_s)
