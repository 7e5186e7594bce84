"""Reads the positions of a consumer, and refuses those that its topic does not have."""

import contextlib
import time
from collections.abc import Iterable

from daemon.domain.streams import OffsetLost, TopicPartition
from daemon.kafka.connection import METADATA_TIMEOUT_MS
from daemon.kafka.library import ClientPartition, KafkaConsumer, kafka_errors

#: A new partition leader may report an end before our position until it has caught up with its followers.
_BEYOND_END_GRACE_S = 2.0


def position_of(consumer: KafkaConsumer, partition: ClientPartition) -> int | None:
    """Return the next offset to read, without waiting; None while it is unknown."""
    with contextlib.suppress(kafka_errors.KafkaError):
        position: int | None = consumer.position(partition, timeout_ms=0)
        return position
    return None


def readable_end(consumer: KafkaConsumer, partition: ClientPartition) -> int | None:
    """Return the offset up to which committed records can be read, as of the last fetch; None before the first one.

    An open transaction holds it back (the last stable offset, KIP-98).
    """
    end: int | None = consumer.highwater(partition)
    stable: int | None = consumer._fetcher.stable_ends.get(partition)  # noqa: SLF001 - our WatchedFetcher
    return end if end is None or stable is None else min(end, stable)


def offset_lost(consumer: KafkaConsumer, partition: ClientPartition, offset: int) -> OffsetLost:
    """Return the error for an offset that the topic does not have, with the offsets that it has."""
    first, end = None, consumer.highwater(partition)
    with contextlib.suppress(kafka_errors.KafkaError):
        first = consumer.beginning_offsets([partition], timeout_ms=METADATA_TIMEOUT_MS)[partition]
        if end is None:  # no fetch has succeeded yet
            end = consumer.end_offsets([partition], timeout_ms=METADATA_TIMEOUT_MS)[partition]
    return OffsetLost(TopicPartition(*partition), offset, (first, end))


class EndCheck:
    """Detects positions beyond the end of their partition.

    A broker need not report them: it may wait until the topic has grown past the position.
    """

    def __init__(self) -> None:
        self._beyond_since: dict[ClientPartition, float] = {}

    def check(self, consumer: KafkaConsumer, partitions: Iterable[ClientPartition]) -> None:
        """Raise OffsetLost for a position that stays beyond the end."""
        now = time.monotonic()
        for partition in partitions:
            end, position = consumer.highwater(partition), position_of(consumer, partition)
            if end is None or position is None or position <= end:
                self._beyond_since.pop(partition, None)
            elif now - self._beyond_since.setdefault(partition, now) >= _BEYOND_END_GRACE_S:
                raise offset_lost(consumer, partition, position)

    def reset(self) -> None:
        """Forget everything: partitions were assigned, or the consumer is closed."""
        self._beyond_since.clear()
