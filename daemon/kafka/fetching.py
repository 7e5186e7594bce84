"""Reads single records again, outside of any group."""

import contextlib
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from daemon.domain.streams import BrokerUnreachable, RawRecord, TopicPartition
from daemon.kafka.batches import allowed, let_go
from daemon.kafka.connection import Client, connection
from daemon.kafka.decompression import AllowanceSpent
from daemon.kafka.library import ClientPartition, KafkaConsumer, kafka_errors
from daemon.kafka.records import SLICE_S, ClientRecord, raw_record
from daemon.kafka.settings import KafkaSettings

#: Records that nobody wants, from which on to seek behind them is faster than to read over them.
_WORTH_A_SEEK = 1_000


def fetch_records(
    settings: KafkaSettings, wanted: Mapping[TopicPartition, Iterable[int]], *, timeout_s: float = 10.0
) -> Iterator[RawRecord]:
    """Read the records at these offsets, outside of any group; those that a topic no longer has are left out.

    Raises BrokerUnreachable where nothing comes for ``timeout_s``.
    """
    consumer = KafkaConsumer(
        **connection(settings),
        kafka_client=partial(Client, settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # where the first that is wanted has expired
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )
    try:
        for source, offsets in wanted.items():
            yield from _fetch(settings, consumer, ClientPartition(*source), deque(sorted(offsets)), timeout_s)
    except kafka_errors.KafkaError as error:
        raise BrokerUnreachable(f"reading from {settings.topic} failed: {error}; check the broker") from error
    finally:
        consumer.close(autocommit=False, timeout_ms=1_000)


def _fetch(
    settings: KafkaSettings,
    consumer: KafkaConsumer,
    part: ClientPartition,
    wanted: deque[int],
    timeout_s: float,
) -> Iterator[RawRecord]:
    if not wanted:
        return
    consumer.assign([part])
    consumer.seek(part, wanted[0])
    heard_at = time.monotonic()
    while wanted:
        records = _polled(settings, consumer, part)
        for record in records:
            while wanted and wanted[0] < record.offset:
                wanted.popleft()
            if wanted and wanted[0] == record.offset:
                wanted.popleft()
                yield raw_record(record)
        if records:
            heard_at = time.monotonic()
            if wanted and wanted[0] - records[-1].offset > _WORTH_A_SEEK:
                consumer.seek(part, wanted[0])
        elif _at_end(consumer, part):
            return
        elif time.monotonic() - heard_at > timeout_s:
            raise BrokerUnreachable(
                f"nothing came from {part.topic}/{part.partition}@{wanted[0]} in {timeout_s:g} s; check the broker"
            )


def _polled(
    settings: KafkaSettings, consumer: KafkaConsumer, part: ClientPartition
) -> Sequence[ClientRecord]:
    try:
        with allowed(settings.max_batch_bytes):
            records: Sequence[ClientRecord] = consumer.poll(timeout_ms=SLICE_S * 1000).get(part, ())
            return records
    except AllowanceSpent as error:  # what is left comes with the next poll
        let_go(error)
        return ()


def _at_end(consumer: KafkaConsumer, part: ClientPartition) -> bool:
    end = consumer.highwater(part)
    with contextlib.suppress(kafka_errors.KafkaError):
        return end is not None and consumer.position(part, timeout_ms=0) >= end
    return False
