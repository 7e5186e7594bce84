"""A broker in memory: it keeps the promises of RecordSource and RecordSink."""

from collections import defaultdict
from collections.abc import Mapping

import pytest

from daemon.domain.streams import (
    Headers,
    OffsetLost,
    RawRecord,
    Start,
    StartOffsets,
    TopicPartition,
    TopicRecreated,
    TransactionWait,
)
from daemon.kafka.offsets import TopicOffsets


class FakeBroker:
    """Topics as lists. ``up`` turns it off and on."""

    def __init__(self, *, partitions: int = 1) -> None:
        self.up = True
        self.partitions = partitions
        self.topic_ids: dict[str, str] = {}
        self.first: dict[TopicPartition, int] = {}  # earlier records have expired
        self.logs: dict[TopicPartition, list[RawRecord]] = defaultdict(list)

    def append(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> RawRecord:
        source = TopicPartition(topic, sum(key or b"") % self.partitions)
        record = RawRecord(
            topic=topic,
            partition=source.partition,
            offset=len(self.logs[source]),
            timestamp_ms=1_795_521_540_000,
            key=key,
            value=value,
            headers=tuple(headers),
        )
        self.logs[source].append(record)
        return record

    def values(self, topic: str) -> list[bytes | None]:
        return [record.value for source, log in self.logs.items() if source.topic == topic for record in log]

    def offsets(self, topic: str) -> TopicOffsets:
        """What the broker answers when it is asked which offsets a topic has."""
        return TopicOffsets(
            topic_id=self.topic_ids.get(topic),
            first={
                number: self.first.get(TopicPartition(topic, number), 0) for number in range(self.partitions)
            },
            end={number: len(self.logs[TopicPartition(topic, number)]) for number in range(self.partitions)},
            at={},
        )

    def serve(self, monkeypatch: pytest.MonkeyPatch, topic: str) -> None:
        """Have the commands ask this broker, and put records back on it."""
        monkeypatch.setattr("daemon.kafka.offsets.topic_offsets", lambda _, **__: self.offsets(topic))
        monkeypatch.setattr("daemon.kafka.KafkaSink", lambda _: FakeSink(self))


class FakeSource:
    """A RecordSource that is the only member of its group."""

    def __init__(self, broker: FakeBroker, topic: str, *, start_offsets: StartOffsets) -> None:
        self._broker = broker
        self._topic = topic
        self._start_offsets = start_offsets
        self._next: dict[TopicPartition, int] = {}
        self.committed: dict[TopicPartition, int] = {}
        self.closed = False
        self.waits: list[TransactionWait] = []

    def rebalance(self) -> None:
        """Take all partitions away; the next poll gives them back."""
        self._next.clear()

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[RawRecord]:
        if not self._broker.up:
            return []
        if not self._next:
            assigned = [TopicPartition(self._topic, number) for number in range(self._broker.partitions)]
            starts = self._start_offsets(assigned)
            for source, start in starts.items():
                self._refuse_other_topic(source, start)
            self._next = {source: starts.get(source, Start(0)).offset for source in assigned}
        polled: list[RawRecord] = []
        for source, offset in self._next.items():
            log = self._broker.logs[source]
            if not self._broker.first.get(source, 0) <= offset <= len(log):
                raise OffsetLost(source, offset, (self._broker.first.get(source, 0), len(log)))
            taken = log[offset:][: (max_records or 500) - len(polled)]
            self._next[source] += len(taken)
            polled += taken
        return polled

    def topic_id(self, topic: str) -> str | None:
        return self._broker.topic_ids.get(topic)

    def _refuse_other_topic(self, source: TopicPartition, start: Start) -> None:
        found = self.topic_id(source.topic)
        if None not in (start.topic_id, found) and start.topic_id != found:
            raise TopicRecreated(source, start.offset, known=start.topic_id or "", found=found or "")

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.committed |= offsets

    def lag(self) -> dict[TopicPartition, int] | None:
        if not self._broker.up or not self._next:
            return None
        return {source: len(self._broker.logs[source]) - offset for source, offset in self._next.items()}

    def transaction_waits(self) -> tuple[TransactionWait, ...]:
        return tuple(self.waits)

    @property
    def connected(self) -> bool:
        return self._broker.up and bool(self._next)

    @property
    def problem(self) -> str | None:
        return None if self.connected else "no broker answers"

    def close(self, timeout_s: float) -> None:
        self._next.clear()
        self.waits.clear()
        self.closed = True


class FakeSink:
    """A RecordSink into a FakeBroker."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self._queue: list[tuple[str, bytes | None, bytes | None, Headers]] = []

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        self._queue.append((topic, key, value, headers))

    def flush(self, timeout_s: float) -> bool:
        if self._broker.up:
            for letter in self._queue:
                self._broker.append(*letter)
            self._queue.clear()
        return not self._queue

    @property
    def problem(self) -> str | None:
        return "no broker answers" if self._queue else None

    def close(self, timeout_s: float) -> bool:
        return self.flush(timeout_s)
