"""Places newly assigned partitions at their start offsets before anything of them is fetched."""

import logging
from collections.abc import Callable, Iterable

from daemon.domain.streams import StartOffsets, TopicPartition, TopicRecreated
from daemon.kafka.library import ClientPartition, ConsumerRebalanceListener, KafkaConsumer
from daemon.kafka.positions import position_of

_log = logging.getLogger(__name__)


class Placement:
    """The assigned partitions that are not placed yet, and the topic that the offsets of each other belong to."""

    def __init__(self, start_offsets: StartOffsets) -> None:
        self._start_offsets = start_offsets
        self._unplaced: set[ClientPartition] = set()
        self._topic_ids: dict[ClientPartition, str] = {}  # of the topic that the offsets were counted in

    def hold_back(self, consumer: KafkaConsumer, assigned: Iterable[ClientPartition]) -> None:
        """Keep new partitions from being fetched.

        Runs on the client's thread inside poll, where the ledger can't be asked for the start offsets.
        """
        self._unplaced = set(assigned)
        if self._unplaced:
            consumer.pause(*self._unplaced)
            consumer.seek_to_beginning(*self._unplaced)

    def place(self, consumer: KafkaConsumer) -> None:
        """Seek the partitions that were held back to their start offsets, and let them be fetched."""
        if not self._unplaced:
            return
        starts = self._start_offsets([TopicPartition(*partition) for partition in self._unplaced])
        for partition in self._unplaced:
            if (start := starts.get(TopicPartition(*partition))) is not None:
                consumer.seek(partition, start.offset)
                if start.topic_id is not None:
                    self._topic_ids[partition] = start.topic_id
        consumer.resume(*self._unplaced)
        _log.info("partitions assigned: %s", sorted(self._unplaced), extra={"action": "assign"})
        self._unplaced = set()

    def placed(self, consumer: KafkaConsumer) -> set[ClientPartition]:
        """Return the assigned partitions whose position is meaningful."""
        placed: set[ClientPartition] = consumer.assignment() - self._unplaced
        return placed

    def check_topics(self, consumer: KafkaConsumer, topic_id: Callable[[str], str | None]) -> None:
        """Raise TopicRecreated if another topic has taken the name since the offsets were counted."""
        for partition in self.placed(consumer):
            found = topic_id(partition.topic)
            known = self._topic_ids.setdefault(partition, found) if found else None
            if known != found:
                offset = position_of(consumer, partition) or 0
                raise TopicRecreated(TopicPartition(*partition), offset, known=known or "", found=found or "")

    def reset(self) -> None:
        """Forget everything: the consumer is closed."""
        self._unplaced = set()
        self._topic_ids.clear()


class AssignmentListener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes on the partitions that the group assigned."""

    def __init__(self, on_assigned: Callable[[Iterable[ClientPartition]], None]) -> None:
        self._on_assigned = on_assigned

    def on_partitions_revoked(self, revoked: Iterable[ClientPartition]) -> None:
        """Nothing to save: the ledger already has the offsets."""

    def on_partitions_assigned(self, assigned: Iterable[ClientPartition]) -> None:
        """Pass them on."""
        self._on_assigned(assigned)
