"""Reading a topic through Kafka's source, as tests of it do."""

import contextlib
import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from daemon.domain.streams import RawRecord, Start, TopicPartition
from daemon.kafka import KafkaSink, KafkaSource
from daemon.kafka.settings import KafkaSettings


def wait_until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """As long as a member waits whose broker does not answer, and then some."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@contextlib.contextmanager
def nothing_of_the_client_left() -> Iterator[None]:
    """Its threads end a moment after it was closed, and only then are its forgotten sockets collected.

    Of a connection that was refused the client never closes the socket; tests ignore that warning.
    """
    before = set(threading.enumerate())
    yield
    wait_until(lambda: set(threading.enumerate()) <= before)
    gc.collect()


def took(action: Callable[[], object]) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start


def fill(settings: KafkaSettings, *values: bytes) -> None:
    sink = KafkaSink(settings)
    for value in values:
        sink.send(settings.topic, value, value)
    assert sink.close(10)


def source_of(settings: KafkaSettings, **starts: int) -> KafkaSource:
    offsets = {
        TopicPartition(settings.topic, int(name[1:])): Start(offset) for name, offset in starts.items()
    }
    return KafkaSource(settings, start_offsets=lambda _: offsets)


def polled(source: KafkaSource, count: int, *, at_most: int | None = None) -> list[RawRecord]:
    """Poll until there are ``count`` records, ``at_most`` of them at a time."""
    records: list[RawRecord] = []
    wait_until(lambda: len(records_of(source, records, at_most=at_most)) >= count)
    return records


def records_of(
    source: KafkaSource, records: list[RawRecord], *, at_most: int | None = None
) -> list[RawRecord]:
    """Poll once, and return all records so far."""
    records += source.poll(0.2, at_most)
    return records


def read_on(source: KafkaSource, records: list[RawRecord], count: int) -> None:
    """Poll until there are ``count`` records in all."""
    wait_until(lambda: len(records_of(source, records)) >= count)


class Member:
    """One member of a group, reading on a thread of its own into a ledger."""

    def __init__(self, settings: KafkaSettings, ledger: "Ledger") -> None:
        self.assigned: set[TopicPartition] = set()
        self._settings = settings
        self._ledger = ledger
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def leave(self) -> None:
        self._leave.set()
        self._thread.join(10)

    def _read(self) -> None:
        source = KafkaSource(self._settings, start_offsets=self._starts)
        while not self._leave.is_set():
            self._ledger.record(source.poll(0.1))
        source.close(2)

    def _starts(self, assigned: Iterable[TopicPartition]) -> Mapping[TopicPartition, Start]:
        self.assigned = set(assigned)
        return {source: Start(offset) for source, offset in self._ledger.offsets.items()}


class Ledger:
    """Counts each record once: what it already has it refuses, what would leave a gap is an error."""

    def __init__(self) -> None:
        self.offsets: dict[TopicPartition, int] = {}
        self.gaps: list[RawRecord] = []
        self._lock = threading.Lock()

    def record(self, records: list[RawRecord]) -> None:
        with self._lock:
            for record in records:
                expected = self.offsets.get(record.source, 0)
                if record.offset > expected:
                    self.gaps.append(record)
                self.offsets[record.source] = max(expected, record.offset + 1)
