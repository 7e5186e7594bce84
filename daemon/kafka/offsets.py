"""Asks a broker which offsets a topic has."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from daemon.domain.streams import TopicMissing
from daemon.kafka.admin import topic_partitions
from daemon.kafka.connection import Client, unreachable
from daemon.kafka.groupless import groupless_consumer
from daemon.kafka.library import ClientPartition, KafkaConsumer, kafka_errors
from daemon.kafka.rights import denial
from daemon.kafka.settings import KafkaSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class TopicOffsets:
    """The offsets of a topic, by partition."""

    topic_id: str | None  # None where the broker has no topic ids
    first: Mapping[int, int]
    end: Mapping[int, int]  # of what can be read: the offset after the last committed record
    at: Mapping[int, int]  # of the first record of the time that was asked for; the end where there is none


def topic_offsets(
    settings: KafkaSettings, *, at: datetime | None = None, timeout_s: float = 10.0
) -> TopicOffsets:
    """Return the offsets of ``kafka.topic``, and those of a time.

    Raises BrokerUnreachable, AccessDenied, and TopicMissing.
    """
    # Asked through an admin client: the consumer would wait for a broker without end.
    count = topic_partitions(settings, settings.topic, timeout_s=timeout_s)
    if not count:
        raise TopicMissing(settings.topic, setting="kafka.topic")
    with _consumer(settings, timeout_s) as (consumer, client):
        partitions = [ClientPartition(settings.topic, number) for number in range(count)]
        timeout_ms = timeout_s * 1000
        first = consumer.beginning_offsets(partitions, timeout_ms=timeout_ms)
        end = consumer.end_offsets(partitions, timeout_ms=timeout_ms)
        found = {} if at is None else _offsets_of_time(consumer, partitions, at, timeout_ms)
        topic_id = client.cluster.topic_id(settings.topic)
        return TopicOffsets(
            topic_id=str(topic_id) if topic_id is not None and topic_id.int else None,
            first={partition.partition: offset for partition, offset in first.items()},
            end={partition.partition: offset for partition, offset in end.items()},
            at={
                partition.partition: found.get(partition, end[partition])
                for partition in (partitions if at is not None else ())
            },
        )


def _offsets_of_time(
    consumer: KafkaConsumer, partitions: list[ClientPartition], at: datetime, timeout_ms: float
) -> dict[ClientPartition, int]:
    """Return the first offset from a time on, of the partitions that have one."""
    timestamp = int(at.timestamp() * 1000)
    found = consumer.offsets_for_times(dict.fromkeys(partitions, timestamp), timeout_ms=timeout_ms)
    return {partition: entry.offset for partition, entry in found.items() if entry is not None}


@contextlib.contextmanager
def _consumer(settings: KafkaSettings, timeout_s: float) -> Iterator[tuple[KafkaConsumer, Client]]:
    """Open a consumer that answers in time. Raises what ``topic_offsets`` does in place of the client's errors."""
    timeout_ms = min(settings.request_timeout_ms, int(timeout_s * 1000))
    with groupless_consumer(settings, request_timeout_ms=timeout_ms) as (consumer, client):
        try:
            yield consumer, client
        except kafka_errors.KafkaError as error:
            failed = unreachable(settings, client.refusal or error, timeout_s=timeout_s)
            raise denial(error, settings) or failed from error
