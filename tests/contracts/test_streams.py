"""What every RecordSource and RecordSink promises: the fake that other tests use, and Kafka's on each broker."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from daemon.domain.streams import RawRecord, RecordSink, RecordSource, Start, StartOffsets, TopicPartition
from daemon.kafka import KafkaSink, KafkaSource
from daemon.kafka.settings import KafkaSettings
from tests.fakes.kafka import FakeBroker, FakeSink, FakeSource
from tests.servers.brokers import BROKERS, Cluster, running

PARTITIONS = 2


@dataclass
class World:
    """One empty topic with PARTITIONS partitions, and how to reach it."""

    topic: str
    opened: list[RecordSource | RecordSink] = field(default_factory=list)

    def new_source(self, start_offsets: StartOffsets) -> RecordSource:
        raise NotImplementedError

    def new_sink(self) -> RecordSink:
        raise NotImplementedError

    def source(self, starts: Mapping[int, int] | None = None) -> RecordSource:
        """A source that starts at these offsets by partition."""
        offsets = {
            TopicPartition(self.topic, number): Start(offset) for number, offset in (starts or {}).items()
        }
        source = self.new_source(lambda _: offsets)
        self.opened.append(source)
        return source

    def sink(self) -> RecordSink:
        sink = self.new_sink()
        self.opened.append(sink)
        return sink

    def filled(self, count: int) -> None:
        """Put records 0..count-1 into the topic, the even ones in one partition, the odd in the other."""
        sink = self.sink()
        for number in range(count):
            sink.send(self.topic, KEYS[number % PARTITIONS], b"%d" % number, [("n", b"%d" % number)])
        assert sink.flush(10)


class FakeWorld(World):
    def __init__(self) -> None:
        super().__init__("contract")
        self.broker = FakeBroker(partitions=PARTITIONS)

    def new_source(self, start_offsets: StartOffsets) -> RecordSource:
        return FakeSource(self.broker, self.topic, start_offsets=start_offsets)

    def new_sink(self) -> RecordSink:
        return FakeSink(self.broker)


class KafkaWorld(World):
    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings.topic)
        self.settings = settings

    def new_source(self, start_offsets: StartOffsets) -> RecordSource:
        return KafkaSource(self.settings, start_offsets=start_offsets)

    def new_sink(self) -> RecordSink:
        return KafkaSink(self.settings)


#: Two keys that go to different partitions, both by the fake's rule and by Kafka's (murmur2).
KEYS = (b"b", b"g")


@pytest.fixture(scope="module", params=["fake", *BROKERS])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster | None]:
    """Each broker in turn; None is the fake."""
    if request.param == "fake":
        yield None
        return
    with running(request) as found:
        yield found


@pytest.fixture
def world(cluster: Cluster | None) -> Iterator[World]:
    with ExitStack() as stack:
        made: World
        if cluster is None:
            made = FakeWorld()
        else:
            made = KafkaWorld(stack.enter_context(cluster.topic(partitions=PARTITIONS)))
        yield made
        for opened in made.opened:
            opened.close(2)


def polled(source: RecordSource, count: int, *, max_records: int | None = None) -> list[RawRecord]:
    """Poll until there are ``count`` records."""
    deadline = time.monotonic() + 20
    records: list[RawRecord] = []
    while len(records) < count and time.monotonic() < deadline:
        records += source.poll(0.2, max_records)
    assert len(records) == count
    return records


def test_records_arrive_as_they_were_sent(world: World) -> None:
    sink = world.sink()
    sink.send(world.topic, "用户".encode(), "你好\0".encode(), [("h", b"\xff"), ("h", b"")])
    sink.send(world.topic, b"k", None)
    assert sink.flush(10)

    records = polled(world.source(), 2)

    found = {record.key: (record.topic, record.value, record.headers) for record in records}
    assert found == {
        "用户".encode(): (world.topic, "你好\0".encode(), (("h", b"\xff"), ("h", b""))),
        b"k": (world.topic, None, ()),
    }


def test_each_partition_comes_in_order_without_gaps(world: World) -> None:
    world.filled(40)

    records = polled(world.source(), 40)

    for partition in range(PARTITIONS):
        assert [record.offset for record in records if record.partition == partition] == list(range(20))


def test_each_partition_starts_where_it_was_told_to_and_others_at_the_beginning(world: World) -> None:
    world.filled(10)

    records = polled(world.source({1: 3}), 7)

    first = {record.source.partition: record.offset for record in reversed(records)}
    assert first == {0: 0, 1: 3}


def test_start_offsets_of_other_partitions_are_ignored(world: World) -> None:
    world.filled(10)

    assert len(polled(world.source({1: 3, 7: 99}), 7)) == 7


def test_the_start_offset_may_be_the_end(world: World) -> None:
    world.filled(10)
    source = world.source({0: 5, 1: 5})

    assert source.poll(3) == []
    world.filled(2)
    assert sorted(record.offset for record in polled(source, 2)) == [5, 5]


def test_a_poll_returns_at_most_what_was_asked_for(world: World) -> None:
    world.filled(10)
    source = world.source()

    assert len(polled(source, 3, max_records=3)) == 3
    assert len(polled(source, 7, max_records=3)) == 7


def test_lag_is_unknown_first_and_counts_what_was_not_polled(world: World) -> None:
    world.filled(10)
    source = world.source()
    assert source.lag() is None

    polled(source, 10, max_records=4)

    assert source.lag() == {TopicPartition(world.topic, 0): 0, TopicPartition(world.topic, 1): 0}


def test_lag_grows_with_the_topic(world: World) -> None:
    world.filled(20)
    source = world.source()

    polled(source, 4, max_records=4)

    assert sum((source.lag() or {}).values()) >= 6


def test_a_source_is_connected_once_it_has_polled_records(world: World) -> None:
    world.filled(1)
    source = world.source()
    assert not source.connected

    polled(source, 1)

    assert source.connected


def test_offsets_for_lag_tools_do_not_move_the_source(world: World) -> None:
    world.filled(10)
    first = world.source()
    polled(first, 10)
    first.commit({TopicPartition(world.topic, 0): 5, TopicPartition(world.topic, 1): 5})
    first.close(2)

    assert len(polled(world.source(), 10)) == 10


def test_a_flush_with_nothing_queued_succeeds(world: World) -> None:
    assert world.sink().flush(1)


def test_closing_a_sink_delivers_what_is_queued(world: World) -> None:
    sink = world.sink()
    sink.send(world.topic, b"k", b"last words")

    assert sink.close(10)
    assert polled(world.source(), 1)[0].value == b"last words"


def test_closing_twice_is_harmless(world: World) -> None:
    source, sink = world.source(), world.sink()
    for opened in (source, sink, source, sink):
        opened.close(1)
