"""Detects partitions that have records but deliver none."""

import time
from collections.abc import Iterable

from daemon.domain.streams import BatchTooLarge, FetchStalled, TopicPartition
from daemon.kafka.batches import Unreadable
from daemon.kafka.connection import METADATA_MAX_AGE_MS, Client
from daemon.kafka.decompression import TooLarge
from daemon.kafka.library import ClientPartition, KafkaConsumer
from daemon.kafka.positions import position_of, readable_end
from daemon.kafka.progress import Progress
from daemon.kafka.settings import KafkaSettings

#: A broker that does not even refresh the metadata for this long is unreachable, not stalled.
_LONGEST_SILENCE_S = METADATA_MAX_AGE_MS / 1000 + 2


class StallCheck:
    """Follows the progress of a consumer's partitions, and remembers batches that can't be read."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._progress = Progress(settings.stalled_after_s, longest_silence_s=_LONGEST_SILENCE_S)
        self._answered_at: float | None = None
        self._unreadable: dict[ClientPartition, Unreadable] = {}

    def note_answer(self, _cluster: object) -> None:
        """Note that the broker answered a metadata request. Runs on the client's thread."""
        self._answered_at = time.monotonic()

    def note_unreadable(self, error: Unreadable) -> None:
        """Remember a batch that can't be read; it is fetched again, as it may have been damaged in transit.

        Raises BatchTooLarge for one that no further fetch can make readable.
        """
        if isinstance(error.cause, TooLarge):
            raise BatchTooLarge(
                TopicPartition(*error.partition),
                error.offset,
                next_offset=error.next_offset,
                limit=self._settings.max_batch_bytes,
            ) from error
        self._unreadable[error.partition] = error

    def note_records(self) -> None:
        """Note that a poll returned records."""
        self._unreadable.clear()

    def check(
        self, consumer: KafkaConsumer, client: Client, partitions: Iterable[ClientPartition], waited_s: float
    ) -> None:
        """Raise FetchStalled if a partition with records has delivered none for ``stalled_after_s`` of polling."""
        if self._answered_at is None:
            return
        self._progress.answered(self._answered_at)
        for partition in partitions:
            position, leader = (
                position_of(consumer, partition),
                client.cluster.leader_for_partition(partition),
            )
            # The known end is as old as the last answer to a fetch.
            failing = leader in consumer._fetcher.failing  # noqa: SLF001 - our WatchedFetcher
            end = None if failing else readable_end(consumer, partition)
            if position is not None and self._progress.stalled(
                TopicPartition(*partition), position, end, waited_s, reachable=client.connected(leader)
            ):
                raise self._stalled(partition, position, end)

    def reset(self) -> None:
        """Forget everything: the consumer is closed."""
        self._unreadable.clear()
        self._progress.start_over()
        self._answered_at = None

    def _stalled(self, partition: ClientPartition, position: int, end: int | None) -> FetchStalled:
        known_end = "its end is unknown" if end is None else f"the topic has records up to {end}"
        unreadable = self._unreadable.get(partition)
        cause = unreadable or "a record batch may be too large to fetch"
        return FetchStalled(
            TopicPartition(*partition),
            position,
            f"no record from offset {position} on has arrived in {self._settings.stalled_after_s:g} s of polling, "
            f"though the broker is connected and {known_end}: {cause}",
            next_offset=unreadable.next_offset if unreadable else None,
        )
