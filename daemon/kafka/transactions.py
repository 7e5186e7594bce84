"""Finds partitions that an open transaction holds back."""

import time
from collections.abc import Iterable

from daemon.domain.streams import TopicPartition, TransactionWait
from daemon.kafka.library import ClientPartition, KafkaConsumer
from daemon.kafka.positions import position_of, readable_end


class OpenTransactions:
    """Remembers since when each partition has waited at its last stable offset.

    The broker hands out committed records only up to there: what follows an open transaction comes once that is
    committed, aborted or timed out.
    """

    def __init__(self) -> None:
        self._since: dict[
            tuple[ClientPartition, int], float
        ] = {}  # partition and offset -> monotonic seconds

    def waits(
        self, consumer: KafkaConsumer, partitions: Iterable[ClientPartition]
    ) -> tuple[TransactionWait, ...]:
        """Return the partitions that wait now, in order."""
        now = time.monotonic()
        waiting = {}
        for partition in partitions:
            position, end = position_of(consumer, partition), consumer.highwater(partition)
            stable = readable_end(consumer, partition)
            if position is not None and stable is not None and end is not None and stable <= position < end:
                waiting[partition, position] = self._since.get((partition, position), now)
        self._since = waiting
        return tuple(
            TransactionWait(TopicPartition(*partition), offset, now - since)
            for (partition, offset), since in sorted(waiting.items())
        )

    def reset(self) -> None:
        """Forget everything: the consumer is closed."""
        self._since.clear()
