"""What only a real broker can show: groups, brokers that die, come late or forget."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from daemon.demo.broker import LocalBroker
from daemon.domain.streams import BrokerUnreachable, OffsetLost, RawRecord, TopicPartition
from daemon.kafka import (
    KafkaSink,
    check_broker,
    create_topic,
)
from daemon.kafka.settings import KafkaSettings
from tests.factories.intake import kafka_settings
from tests.support.reading import (
    fill,
    polled,
    records_of,
    source_of,
    took,
    wait_until,
)

# The client forgets to close the socket of a connection that was refused; the collector does it.
pytestmark = [
    pytest.mark.usefixtures("clients_are_gone"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture
def own_broker() -> Iterator[LocalBroker]:
    """A broker that the test may kill."""
    with LocalBroker() as running:
        yield running


def test_a_broker_that_is_not_there_is_named_in_time() -> None:
    settings = kafka_settings("127.0.0.1:1", "t")

    with pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:1.*check the address"):
        check_broker(settings, timeout_s=0.5)


def test_a_dead_broker_makes_polls_empty_and_closing_quick(own_broker: LocalBroker, topic: str) -> None:
    settings = kafka_settings(own_broker.bootstrap, topic)
    create_topic(settings, topic, partitions=1)
    fill(settings, b"1")
    source = source_of(settings)
    polled(source, 1)

    own_broker.kill()

    assert took(lambda: source.poll(0.5)) < 1
    assert source.poll(0.1) == []
    assert not source.connected
    assert source.lag() is None
    assert took(lambda: source.commit({TopicPartition(topic, 0): 1})) < 0.5
    assert took(lambda: source.close(3)) < 5


def test_a_frozen_broker_makes_polls_empty_and_closing_quick(own_broker: LocalBroker, topic: str) -> None:
    settings = kafka_settings(own_broker.bootstrap, topic)
    create_topic(settings, topic, partitions=1)
    fill(settings, b"1")
    source = source_of(settings)
    polled(source, 1)
    process = own_broker._process
    assert process is not None

    os.kill(process.pid, signal.SIGSTOP)

    assert took(lambda: source.poll(0.5)) < 1.5
    assert took(lambda: source.commit({TopicPartition(topic, 0): 1})) < 0.5
    assert took(lambda: source.close(2)) < 5
    own_broker.kill()  # it can't be asked to stop


def test_reading_starts_when_the_broker_comes_up(topic: str) -> None:
    late = LocalBroker()
    with late:
        port = late.port
    settings = kafka_settings(f"127.0.0.1:{port}", topic)
    source = source_of(settings)
    try:
        assert took(lambda: source.poll(0.3)) < 1
        with LocalBroker(port=port):
            create_topic(settings, topic, partitions=1)
            fill(settings, b"1", b"2")
            assert [record.value for record in polled(source, 2)] == [b"1", b"2"]
            source.close(2)
    finally:
        source.close(2)


def test_what_a_dead_broker_did_not_take_is_delivered_to_the_next(
    own_broker: LocalBroker, topic: str
) -> None:
    settings = kafka_settings(own_broker.bootstrap, topic)
    create_topic(settings, topic, partitions=1)
    fill(settings, b"0")
    sink = KafkaSink(settings)
    sink.send(topic, None, b"0")
    assert sink.flush(10)

    own_broker.kill()
    sink.send(topic, None, b"1")
    assert took(lambda: sink.flush(0.5)) < 2

    with LocalBroker(port=own_broker.port):
        create_topic(settings, topic, partitions=1)
        wait_until(lambda: sink.flush(1), seconds=45)
        source = source_of(settings)
        assert polled(source, 1)[0].value == b"1"
        source.close(2)
        sink.close(2)


def test_closing_a_sink_with_a_dead_broker_is_quick_and_admits_the_loss(
    own_broker: LocalBroker, topic: str
) -> None:
    settings = kafka_settings(own_broker.bootstrap, topic)
    create_topic(settings, topic, partitions=1)
    sink = KafkaSink(settings)
    sink.send(topic, None, b"0")
    assert sink.flush(10)
    own_broker.kill()
    sink.send(topic, None, b"1")

    start = time.monotonic()

    assert not sink.close(2)
    assert time.monotonic() - start < 5


def test_a_member_whose_joining_ends_between_two_polls_gets_its_partitions(
    own_broker: LocalBroker, topic: str
) -> None:
    """The broker lets a group form for a second, so that after a pause of more it has always answered meanwhile."""
    settings = kafka_settings(own_broker.bootstrap, topic)
    create_topic(settings, topic, partitions=1)
    fill(settings, b"1")
    source = source_of(settings)
    records: list[RawRecord] = []

    def polls_after_a_pause() -> bool:
        time.sleep(1.1)
        return len(records_of(source, records)) == 1

    try:
        wait_until(polls_after_a_pause, seconds=20)
    finally:
        source.close(2)


def test_a_topic_that_was_made_anew_is_refused_rather_than_skipped(
    own_broker: LocalBroker, topic: str
) -> None:
    settings = kafka_settings(own_broker.bootstrap, topic)
    create_topic(settings, topic, partitions=1)
    fill(settings, *[b"%d" % number for number in range(20)])
    source = source_of(settings, p0=0)
    polled(source, 20)
    source.close(2)

    own_broker.kill()
    with LocalBroker(port=own_broker.port):
        create_topic(settings, topic, partitions=1)
        fill(settings, b"new")
        again = source_of(settings, p0=20)
        with pytest.raises(OffsetLost):
            wait_until(lambda: again.poll(0.2) != [])
        again.close(2)


def test_the_password_does_not_show() -> None:
    settings = KafkaSettings(
        bootstrap_servers=("b:1",), topic="t", dead_letter_topic="d", group_id="g", sasl_password="hush"
    )

    assert "hush" not in repr(settings)
