"""Committed records only: what a transaction takes back is not read, and one that stays open is named, never a halt."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from daemon.domain.streams import RawRecord, TopicPartition
from daemon.kafka import KafkaSource, fetch_records
from daemon.kafka.settings import KafkaSettings
from tests.servers.brokers import Cluster
from tests.support.helpers import eventually
from tests.support.reading import fill, nothing_of_the_client_left
from tests.support.transactions import Transactions


@pytest.fixture
def settings(cluster: Cluster) -> Iterator[KafkaSettings]:
    with cluster.topic(partitions=1) as found:
        yield replace(found, stalled_after_s=2.0)


@pytest.fixture
def source(settings: KafkaSettings) -> Iterator[KafkaSource]:
    with nothing_of_the_client_left():
        opened = KafkaSource(settings, start_offsets=lambda _: {})
        yield opened
        opened.close(2)


def polled(source: KafkaSource, records: list[RawRecord], count: int) -> list[bytes | None]:
    def enough() -> bool:
        records.extend(source.poll(0.2))
        return len(records) >= count

    eventually(enough, 30)
    return [record.value for record in records]


def test_records_of_aborted_transactions_are_not_read(settings: KafkaSettings, source: KafkaSource) -> None:
    writer = Transactions(settings)
    for number in range(10):
        writer.abort(*[b"aborted %d" % number] * 50)
    writer.commit(b"committed")
    fill(settings, b"plain")

    assert polled(source, [], 2) == [b"committed", b"plain"]
    assert source.poll(0.5) == []


def test_markers_of_transactions_are_no_lag(settings: KafkaSettings, source: KafkaSource) -> None:
    writer = Transactions(settings)
    writer.commit(b"committed")
    writer.abort(b"aborted")
    polled(source, [], 1)

    eventually(lambda: source.poll(0.1) == [] and source.lag() == {TopicPartition(settings.topic, 0): 0}, 10)
    assert source.transaction_waits() == ()


def test_an_open_transaction_is_waited_for_and_named_but_is_no_stall(
    settings: KafkaSettings, source: KafkaSource
) -> None:
    fill(settings, b"before")
    records: list[RawRecord] = []
    with Transactions(settings).open(b"open"):
        fill(settings, b"after")
        assert polled(source, records, 1) == [b"before"]
        seconds: list[float] = []

        def waited() -> bool:
            assert source.poll(0.2) == []  # a halt would raise
            for wait in source.transaction_waits():
                assert (wait.source, wait.offset) == (TopicPartition(settings.topic, 0), 1)
                seconds.append(wait.seconds)
            return bool(seconds) and seconds[-1] > 2 * settings.stalled_after_s

        eventually(waited, 30)
        assert seconds == sorted(seconds)
        assert source.lag() == {TopicPartition(settings.topic, 0): 0}

    assert polled(source, records, 3) == [b"before", b"open", b"after"]
    assert source.transaction_waits() == ()


def test_records_fetched_again_are_committed_ones_too(settings: KafkaSettings) -> None:
    writer = Transactions(settings)
    writer.abort(b"aborted")  # offset 0, and 1 for its marker
    writer.commit(b"committed")  # offset 2

    found = list(fetch_records(settings, {TopicPartition(settings.topic, 0): [0, 2]}))

    assert [record.value for record in found] == [b"committed"]


def test_fetching_does_not_wait_for_an_open_transaction(settings: KafkaSettings) -> None:
    with Transactions(settings).open(b"open"):
        assert list(fetch_records(settings, {TopicPartition(settings.topic, 0): [0]})) == []
