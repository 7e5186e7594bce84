"""Brokers that die with what they keep on a disk, and connections that go bad on the way."""

import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from daemon.demo.broker import LocalBroker
from daemon.domain.streams import BrokerUnreachable, FetchStalled, RawRecord, TopicPartition
from daemon.kafka import KafkaSink, KafkaSource, check_broker, create_topic, topic_exists, topic_partitions
from daemon.kafka.settings import KafkaSettings
from tests.factories.intake import kafka_settings
from tests.servers.s3_server import running_s3
from tests.servers.tcp_proxy import TcpProxy
from tests.support.compressed import send_apart
from tests.support.reading import (
    Ledger,
    fill,
    polled,
    read_on,
    records_of,
    source_of,
    took,
    wait_until,
)
from tests.support.settled import SettledWrites

# The client forgets to close the socket of a connection that was refused; the collector does it.
pytestmark = [
    pytest.mark.usefixtures("clients_are_gone"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

NUMBERS = [b"%d" % number for number in range(300)]
#: Sooner than by default, so that tests needn't wait long; polls are in vain for longer than that in all of them.
IMPATIENT = {"request_timeout_ms": 2_000, "stalled_after_s": 1.0}


@pytest.fixture(scope="session")
def s3() -> Iterator[Mapping[str, str]]:
    with running_s3() as environment:
        yield environment


@pytest.fixture
def durable(s3: Mapping[str, str]) -> Iterator[LocalBroker]:
    """A broker that has its topics again when it comes back."""
    with LocalBroker(storage="s3://tansu/", environment=s3) as running:
        yield running


@pytest.fixture
def limitless() -> Iterator[LocalBroker]:
    """A broker that takes records of any size."""
    with LocalBroker() as running:
        yield running


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    """In front of a broker of its own, which sends everybody through it."""
    with TcpProxy() as before, LocalBroker(advertised=before.bootstrap) as running:
        before.target_port = running.port
        yield before


@pytest.fixture
def settings(proxy: TcpProxy, topic: str) -> KafkaSettings:
    made = replace(kafka_settings(proxy.bootstrap, topic), **IMPATIENT)  # type: ignore[arg-type]
    create_topic(made, topic, partitions=1)
    return made


@pytest.fixture
def source(settings: KafkaSettings) -> Iterator[KafkaSource]:
    made = source_of(settings)
    yield made
    made.close(2)


class Writer:
    """Sends numbers on a thread of its own until it is told to stop, whatever becomes of the broker."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.sent: set[bytes] = set()
        self._sink = KafkaSink(settings)
        self._topic = settings.topic
        self._stop = threading.Event()
        self.writes = SettledWrites()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        while not self._stop.wait(0.01):
            for _ in range(10):
                number = b"%d" % len(self.sent)
                self.sent.add(number)
                self._sink.send(self._topic, number, number)
            self.writes.flush(self._sink, 0.1)
        wait_until(lambda: self._sink.flush(0.5))
        self._sink.close(5)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


def values(records: list[RawRecord]) -> list[bytes | None]:
    return [record.value for record in records]


def is_whole(records: list[RawRecord]) -> bool:
    """Offsets of each partition from 0 on, none twice and none left out."""
    ledger = Ledger()
    ledger.record(records)
    return not ledger.gaps and sum(ledger.offsets.values()) == len(records)


def test_a_broker_that_is_killed_and_comes_back_leaves_no_gap(durable: LocalBroker, topic: str) -> None:
    settings = kafka_settings(durable.bootstrap, topic)
    create_topic(settings, topic, partitions=2)
    source = source_of(settings)
    writer = Writer(settings)
    records = polled(source, 100)
    topic_id = source.topic_id(topic)
    for _ in range(3):
        with writer.writes.between():
            durable.kill()
        records += source.poll(0.5)
        durable.start()
        read_on(source, records, len(writer.sent) + 100)
    writer.stop()
    wait_until(lambda: set(values(records_of(source, records))) == writer.sent)

    assert is_whole(records)
    assert source.topic_id(topic) == topic_id
    source.close(2)


def test_offsets_are_good_for_the_broker_that_came_back(durable: LocalBroker, topic: str) -> None:
    settings = kafka_settings(durable.bootstrap, topic)
    create_topic(settings, topic, partitions=1)
    fill(settings, *NUMBERS[:20])

    durable.kill()
    durable.start()

    source = source_of(settings, p0=12)
    assert values(polled(source, 8)) == NUMBERS[12:20]
    source.close(2)


def test_a_black_hole_makes_polls_short_and_empty_and_halts_nothing(
    proxy: TcpProxy, settings: KafkaSettings, source: KafkaSource
) -> None:
    large = [b"%d " % number + b"x" * 20_000 for number in range(200)]  # more than two answers hold
    fill(settings, *large)
    records = polled(source, 10, at_most=10)

    proxy.black_hole()

    wait_until(lambda: bool(records_of(source, records)) and not source.connected)
    assert len(records) < 200
    silent = [source.poll(0.2) for _ in range(45)]  # nine seconds, while records wait
    assert silent == [[]] * 45
    assert took(lambda: source.poll(0.2)) < 1
    assert not source.connected
    assert source.lag() is None

    proxy.heal()
    read_on(source, records, 200)
    assert values(records) == large


def asks_to_join(sent: bytes) -> bool:
    """Whether one of the requests of the Kafka protocol that these bytes are is JoinGroup, which has key 11."""
    at = 0
    while at + 6 <= len(sent):
        size, key = struct.unpack_from(">ih", sent, at)
        if key == 11:
            return True
        at += 4 + size
    return False


def test_a_member_whose_joining_is_never_answered_joins_anew(
    proxy: TcpProxy, settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.kafka.rejoining._UNASSIGNED_S", 0.5)
    patient = replace(
        settings, request_timeout_ms=60_000
    )  # as long as the client itself would wait, and more
    fill(settings, b"1")
    proxy.lose_at = asks_to_join
    source = source_of(patient)

    assert values(polled(source, 1)) == [b"1"]

    assert proxy.lose_at is None  # it was lost
    source.close(2)


def test_a_topic_at_rest_is_no_stall_though_its_broker_was_away(durable: LocalBroker, topic: str) -> None:
    settings = replace(kafka_settings(durable.bootstrap, topic), **IMPATIENT)  # type: ignore[arg-type]
    create_topic(settings, topic, partitions=1)
    fill(settings, b"1")
    source = source_of(settings)
    polled(source, 1)

    durable.kill()
    wait_until(lambda: not source.poll(0.2) and not source.connected)
    durable.start()
    wait_until(lambda: not source.poll(0.2) and source.connected)

    assert [source.poll(0.2) for _ in range(60)] == [
        []
    ] * 60  # time for more than two answers about the cluster
    source.close(2)


def test_in_a_black_hole_committing_and_closing_are_quick(
    proxy: TcpProxy, settings: KafkaSettings, source: KafkaSource
) -> None:
    fill(settings, b"1")
    polled(source, 1)

    proxy.black_hole()

    assert took(lambda: source.commit({TopicPartition(settings.topic, 0): 1})) < 0.5
    assert took(lambda: source.poll(0.5)) < 1.5
    assert took(lambda: source.close(2)) < 4


def test_a_black_hole_is_a_broker_out_of_reach_for_the_commands(
    proxy: TcpProxy, settings: KafkaSettings
) -> None:
    proxy.black_hole()

    for ask in (
        lambda: check_broker(settings, timeout_s=1),
        lambda: topic_exists(settings, settings.topic, timeout_s=1),
        lambda: topic_partitions(settings, settings.topic, timeout_s=1),
        lambda: create_topic(settings, "another", partitions=1, timeout_s=1),
    ):

        def refused(ask=ask) -> None:  # type: ignore[no-untyped-def]
            with pytest.raises(BrokerUnreachable):
                ask()

        assert took(refused) < 5


@pytest.mark.parametrize("answers", [1, 2, 3])
def test_a_broker_that_falls_silent_in_the_middle_of_a_command_is_out_of_reach(
    proxy: TcpProxy, settings: KafkaSettings, answers: int
) -> None:
    patient = replace(settings, request_timeout_ms=30_000)
    proxy.black_hole_after = answers

    def refused() -> None:
        with pytest.raises(BrokerUnreachable):
            topic_exists(patient, settings.topic, timeout_s=1)

    assert took(refused) < 5


def test_what_a_sink_sent_into_a_black_hole_arrives_after_it(
    proxy: TcpProxy, settings: KafkaSettings, source: KafkaSource
) -> None:
    sink = KafkaSink(settings)
    sink.send(settings.topic, None, b"before")
    assert sink.flush(10)

    proxy.black_hole()
    for number in NUMBERS[:50]:
        sink.send(settings.topic, None, number)
    assert took(lambda: sink.flush(0.5)) < 2
    proxy.heal()

    wait_until(lambda: sink.flush(1))
    assert sink.close(5)
    records = polled(source, 51)
    assert set(values(records)) == {b"before", *NUMBERS[:50]}


def test_closing_a_sink_in_a_black_hole_is_quick_and_admits_the_loss(
    proxy: TcpProxy, settings: KafkaSettings
) -> None:
    sink = KafkaSink(settings)
    sink.send(settings.topic, None, b"before")
    assert sink.flush(10)
    proxy.black_hole()
    sink.send(settings.topic, None, b"lost")

    def admits() -> None:
        assert not sink.close(2)

    assert took(admits) < 5


def test_connections_that_are_reset_leave_no_gap(
    proxy: TcpProxy, settings: KafkaSettings, source: KafkaSource
) -> None:
    writer = Writer(settings)
    records: list[RawRecord] = []
    for _ in range(10):
        read_on(source, records, len(records) + 50)
        proxy.reset()
    writer.stop()
    wait_until(lambda: set(values(records_of(source, records))) == writer.sent)

    assert proxy.resets >= 10
    assert is_whole(records)


def test_answers_that_are_cut_in_the_middle_leave_no_gap(
    proxy: TcpProxy, settings: KafkaSettings, source: KafkaSource
) -> None:
    large = [number * 500 for number in NUMBERS[100:300]]
    fill(settings, *large)
    proxy.reset_mid_response(after=1000)
    wait_until(lambda: bool(source.poll(0.2)) or proxy.resets >= 5)
    assert proxy.resets >= 5

    proxy.heal()

    records = polled(source, 200)
    assert values(records) == large
    assert is_whole(records)


def test_a_record_that_no_answer_can_hold_halts_intake_and_names_its_offset(
    limitless: LocalBroker, topic: str
) -> None:
    settings = replace(kafka_settings(limitless.bootstrap, topic), stalled_after_s=2.0)
    create_topic(settings, topic, partitions=1)
    fill(settings, *NUMBERS[:5])
    source = source_of(settings)
    polled(source, 5)  # so that its end was known, and is not what it was

    send_apart(settings, None, [b"x" * 101_000_000])  # the client takes answers of 100 MB

    with pytest.raises(FetchStalled, match=f"from offset 5 on.*seek {topic}/0 6 -m") as halt:
        wait_until(lambda: source.poll(0.2) != [])
    source.close(2)
    assert halt.value.offset == 5


def test_a_batch_harmed_for_good_halts_intake_and_names_where_it_ends(
    proxy: TcpProxy, settings: KafkaSettings, source: KafkaSource
) -> None:
    proxy.rewrite = lambda data: data.replace(b"a sound record", b"a broken one..")
    fill(settings, *[b"a sound record"] * 3)

    with pytest.raises(FetchStalled, match=r"record batch at offset 0 can't be read.*crc.*/0 3 -m"):
        wait_until(lambda: source.poll(0.2) != [])


def test_a_batch_harmed_on_its_way_is_read_again(
    proxy: TcpProxy, settings: KafkaSettings, source: KafkaSource
) -> None:
    harmed: list[bytes] = []

    def harm_once(data: bytes) -> bytes:
        if b"a sound record" in data and not harmed:
            harmed.append(data)
            return data.replace(b"a sound record", b"a broken one..")
        return data

    proxy.rewrite = harm_once
    fill(settings, *[b"a sound record"] * 3)

    assert values(polled(source, 3)) == [b"a sound record"] * 3
    assert harmed
