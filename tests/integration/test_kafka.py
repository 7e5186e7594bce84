"""What only a real broker can show: groups, brokers that die, come late or forget."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from daemon.broker import LocalBroker
from daemon.kafka import (
    KafkaSink,
    KafkaSource,
    _admin,
    check_broker,
    create_topic,
    topic_exists,
    topic_partitions,
)
from daemon.kafka_settings import KafkaSettings
from daemon.streams import BrokerUnreachable, OffsetLost, Start, TopicPartition, TopicRecreated
from tests.factories_intake import kafka_settings
from tests.reading import (
    Ledger,
    Member,
    fill,
    nothing_of_the_client_left,
    polled,
    source_of,
    took,
    wait_until,
)

# The client forgets to close the socket of a connection that was refused; the collector does it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def own_broker() -> Iterator[LocalBroker]:
    """A broker that the test may kill."""
    with LocalBroker() as running:
        yield running


@pytest.fixture(autouse=True)
def clients_are_gone() -> Iterator[None]:
    with nothing_of_the_client_left():
        yield


def test_a_topic_is_made_once(broker: LocalBroker, topic: str) -> None:
    settings = kafka_settings(broker.bootstrap, topic)

    assert not topic_exists(settings, topic)
    assert create_topic(settings, topic, partitions=3)
    assert not create_topic(settings, topic, partitions=3)
    assert topic_partitions(settings, topic) == 3
    assert check_broker(settings) == 1


def test_a_broker_that_is_not_there_is_named_in_time() -> None:
    settings = kafka_settings("127.0.0.1:1", "t")

    with pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:1.*check the address"):
        check_broker(settings, timeout_s=0.5)


def test_two_members_share_the_partitions_until_one_leaves(broker: LocalBroker, topic: str) -> None:
    settings = kafka_settings(broker.bootstrap, topic)
    create_topic(settings, topic, partitions=2)
    both = {TopicPartition(topic, 0), TopicPartition(topic, 1)}
    one = Member(settings, Ledger())
    wait_until(lambda: one.assigned == both)
    other = Member(settings, Ledger())
    try:
        wait_until(lambda: len(one.assigned) == 1 and one.assigned | other.assigned == both, seconds=40)
        other.leave()
        wait_until(lambda: one.assigned == both, seconds=40)
    finally:
        one.leave()
        other.leave()


def test_members_that_come_and_go_leave_no_gap(broker: LocalBroker, topic: str) -> None:
    settings = kafka_settings(broker.bootstrap, topic)
    create_topic(settings, topic, partitions=2)
    ledger = Ledger()
    one = Member(settings, ledger)
    fill(settings, *[b"%d" % number for number in range(500)])
    wait_until(lambda: sum(ledger.offsets.values()) == 500)
    other = Member(settings, ledger)
    try:
        wait_until(lambda: bool(other.assigned), seconds=40)
        fill(settings, *[b"%d" % number for number in range(500)])
        wait_until(lambda: sum(ledger.offsets.values()) == 1000, seconds=40)
        one.leave()
        fill(settings, *[b"%d" % number for number in range(500)])
        wait_until(lambda: sum(ledger.offsets.values()) == 1500, seconds=40)
        assert ledger.gaps == []
    finally:
        one.leave()
        other.leave()


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


def test_an_offset_beyond_the_end_is_refused_by_name(broker: LocalBroker, topic: str) -> None:
    settings = kafka_settings(broker.bootstrap, topic)
    create_topic(settings, topic, partitions=1)
    fill(settings, b"1", b"2")
    source = source_of(settings, p0=1000)
    try:
        with pytest.raises(
            OffsetLost, match=rf"{topic}/0: offset 1000 is not in the topic, which has 0 to 2"
        ) as lost:
            wait_until(lambda: source.poll(0.2) != [])
    finally:
        source.close(2)

    assert (lost.value.source, lost.value.offset) == (TopicPartition(topic, 0), 1000)


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


def made_anew(settings: KafkaSettings) -> None:
    """Delete the topic and create another of its name."""
    with _admin(settings, 5) as admin:
        admin.delete_topics([settings.topic])
    create_topic(settings, settings.topic, partitions=1)


def test_a_topic_of_another_id_is_refused_although_it_has_the_offset(broker: LocalBroker, topic: str) -> None:
    settings = kafka_settings(broker.bootstrap, topic)
    create_topic(settings, topic, partitions=1)
    fill(settings, b"old 1", b"old 2")
    before = source_of(settings)
    polled(before, 2)
    known = before.topic_id(topic)
    before.close(2)
    made_anew(settings)
    fill(settings, *[b"%d" % number for number in range(9)])

    starts = {TopicPartition(topic, 0): Start(2, known)}
    after = KafkaSource(settings, start_offsets=lambda _: starts)
    try:
        with pytest.raises(TopicRecreated, match=f"offset of topic id {known}") as refused:
            wait_until(lambda: after.poll(0.2) != [])
    finally:
        after.close(2)
    assert refused.value.found not in (None, known)


def test_a_topic_made_anew_while_it_is_read_is_refused_within_seconds(
    broker: LocalBroker, topic: str
) -> None:
    settings = kafka_settings(broker.bootstrap, topic)
    create_topic(settings, topic, partitions=1)
    fill(settings, b"old 1", b"old 2")
    source = source_of(settings)
    polled(source, 2)

    made_anew(settings)
    fill(settings, *[b"%d" % number for number in range(9)])

    try:
        with pytest.raises(TopicRecreated):
            wait_until(lambda: bool(source.poll(0.2)) and False, seconds=20)
    finally:
        source.close(2)


def test_whatever_the_start_offsets_raise_comes_out_of_poll(broker: LocalBroker, topic: str) -> None:
    settings = kafka_settings(broker.bootstrap, topic)
    create_topic(settings, topic, partitions=1)

    def ledger_is_gone(_: object) -> dict[TopicPartition, Start]:
        raise RuntimeError("the ledger is gone")

    source = KafkaSource(settings, start_offsets=ledger_is_gone)
    try:
        with pytest.raises(RuntimeError, match="the ledger is gone"):
            wait_until(lambda: source.poll(0.2) != [])
    finally:
        source.close(2)


def test_the_password_does_not_show() -> None:
    settings = KafkaSettings(
        bootstrap_servers=("b:1",), topic="t", dead_letter_topic="d", group_id="g", sasl_password="hush"
    )

    assert "hush" not in repr(settings)
