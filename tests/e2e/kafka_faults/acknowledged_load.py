"""Conversations that are written at a steady rate, of which it is known which ones the brokers took."""

import threading
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from daemon.intake.replay import encode_record
from daemon.kafka.settings import KafkaSettings
from tests.e2e.regimes import small_talk

_MANY = 1_000_000
_PAUSE_S = 0.05
_OPTIONS: Mapping[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,  # so that no record stands in the topic twice
    "message.timeout.ms": 300_000,  # longer than any fault lasts
    "compression.type": "zstd",
    "linger.ms": 20,
    "queue.buffering.max.messages": 500_000,
    "topic.metadata.refresh.interval.ms": 1_000,
    "reconnect.backoff.max.ms": 1_000,
    "allow.auto.create.topics": False,
}


class AcknowledgedLoad:
    """Writes conversations with ``acks=all`` until it is told to stop, on a thread of its own or at once."""

    def __init__(self, settings: KafkaSettings, *, rate: int) -> None:
        """``rate`` is in conversations a second."""
        self.acknowledged: list[str] = []  # their ids
        self.refused: list[str] = []  # why, one for each record that the brokers did not take
        self._topic = settings.topic
        self._rate = rate
        self._producer = Producer({**_OPTIONS, "bootstrap.servers": ",".join(settings.bootstrap_servers)})
        self._conversations = small_talk(_MANY, seed=6)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write_steadily)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Return once the brokers have acknowledged everything."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        left = self._producer.flush(120)
        assert left == 0, f"{left} records were not acknowledged"
        assert self.refused == []

    def write(self, count: int) -> None:
        """Write so many at once, in the caller's thread, and wait for the brokers."""
        for _ in range(count):
            self._produce()
        assert self._producer.flush(120) == 0

    def _write_steadily(self) -> None:
        begin, written = time.monotonic(), 0
        while not self._stop.wait(_PAUSE_S):
            while written < (time.monotonic() - begin) * self._rate:
                self._produce()
                written += 1

    def _produce(self) -> None:
        conversation = next(self._conversations)
        name = conversation.conversation_id

        def settled(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self.acknowledged.append(name)
            else:
                self.refused.append(str(error))

        self._producer.produce(self._topic, encode_record(conversation), key=name, on_delivery=settled)
        self._producer.poll(0)
