"""Reads records at given offsets, outside of any consumer group."""

import contextlib
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

from daemon.domain.streams import BrokerUnreachable, RawRecord, TopicPartition
from daemon.kafka.availability import Availability
from daemon.kafka.batches import clear_frames, decompression_limit
from daemon.kafka.decompression import AllowanceSpent
from daemon.kafka.groupless import groupless_consumer
from daemon.kafka.library import ClientPartition, KafkaConsumer, kafka_errors
from daemon.kafka.positions import readable_end
from daemon.kafka.records import POLL_SLICE_S, ClientRecord, raw_record
from daemon.kafka.rights import denial
from daemon.kafka.settings import KafkaSettings

#: Beyond this many unwanted records, seeking is faster than reading on.
_SEEK_BEYOND = 1_000


class _NothingArrived(BrokerUnreachable):
    """The broker delivered none of the wanted records in time."""


def fetch_records(
    settings: KafkaSettings, wanted: Mapping[TopicPartition, Iterable[int]], *, timeout_s: float = 10.0
) -> Iterator[RawRecord]:
    """Read the records at these offsets. Records that a topic no longer has are left out, and so are aborted ones.

    Raises BrokerUnreachable if no record arrives for ``timeout_s``, AccessDenied, and TopicMissing.
    """
    with groupless_consumer(settings) as (consumer, client):
        try:
            for source, offsets in wanted.items():
                partition, remaining = ClientPartition(*source), deque(sorted(offsets))
                yield from _fetch(settings, consumer, partition, remaining, timeout_s)
        except _NothingArrived as silence:
            raise Availability(settings).problem(consumer, client) or silence from silence
        except kafka_errors.KafkaError as error:
            failed = BrokerUnreachable(f"reading from {settings.topic} failed: {error}; check the broker")
            raise denial(error, settings) or failed from error


def _fetch(
    settings: KafkaSettings,
    consumer: KafkaConsumer,
    partition: ClientPartition,
    wanted: deque[int],
    timeout_s: float,
) -> Iterator[RawRecord]:
    if not wanted:
        return
    consumer.assign([partition])
    consumer.seek(partition, wanted[0])
    received_at = time.monotonic()
    while wanted:
        records = _poll(settings, consumer, partition)
        for record in records:
            while wanted and wanted[0] < record.offset:
                wanted.popleft()
            if wanted and wanted[0] == record.offset:
                wanted.popleft()
                yield raw_record(record)
        if records:
            received_at = time.monotonic()
            if wanted and wanted[0] - records[-1].offset > _SEEK_BEYOND:
                consumer.seek(partition, wanted[0])
        elif _at_end(consumer, partition):
            return
        elif time.monotonic() - received_at > timeout_s:
            raise _NothingArrived(
                f"no record arrived from {partition.topic}/{partition.partition}@{wanted[0]} on within {timeout_s:g} s; "
                "check the broker"
            )


def _poll(
    settings: KafkaSettings, consumer: KafkaConsumer, partition: ClientPartition
) -> Sequence[ClientRecord]:
    try:
        with decompression_limit(settings.max_batch_bytes):
            records: Sequence[ClientRecord] = consumer.poll(timeout_ms=POLL_SLICE_S * 1000).get(partition, ())
            return records
    except AllowanceSpent as error:  # the rest is fetched by the next poll
        clear_frames(error)
        return ()


def _at_end(consumer: KafkaConsumer, partition: ClientPartition) -> bool:
    end = readable_end(consumer, partition)
    with contextlib.suppress(kafka_errors.KafkaError):
        return end is not None and consumer.position(partition, timeout_ms=0) >= end
    return False
