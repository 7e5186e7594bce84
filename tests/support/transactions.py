"""A transactional producer, by librdkafka: the project's own client never writes in transactions."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Producer

from daemon.kafka.settings import KafkaSettings

_TIMEOUT_S = 20.0


class Transactions:
    """Writes records to one topic, in one transaction after another."""

    def __init__(self, settings: KafkaSettings, *, timeout_ms: int = 60_000) -> None:
        """The broker aborts a transaction that stays open for ``timeout_ms``."""
        self._topic = settings.topic
        options: dict[str, Any] = {
            "bootstrap.servers": ",".join(settings.bootstrap_servers),
            "transactional.id": f"test-{uuid.uuid4().hex}",
            "transaction.timeout.ms": timeout_ms,
            "allow.auto.create.topics": False,
        }
        self._producer = Producer(options)
        self._producer.init_transactions(_TIMEOUT_S)

    def commit(self, *values: bytes) -> None:
        """Write these records and commit them."""
        self._write(values)
        self._producer.commit_transaction(_TIMEOUT_S)

    def abort(self, *values: bytes) -> None:
        """Write these records and take them back."""
        self._write(values)
        self._producer.abort_transaction(_TIMEOUT_S)

    @contextmanager
    def open(self, *values: bytes) -> Iterator[None]:
        """Write these records, and commit them only at the end of the block."""
        self._write(values)
        yield
        self._producer.commit_transaction(_TIMEOUT_S)

    def leave_open(self, *values: bytes) -> None:
        """Write these records, and neither commit them nor take them back: the broker does that after its time-out."""
        self._write(values)

    def _write(self, values: tuple[bytes, ...]) -> None:
        self._producer.begin_transaction()
        for value in values:
            self._producer.produce(self._topic, value, partition=0)
        assert self._producer.flush(_TIMEOUT_S) == 0
