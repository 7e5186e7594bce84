"""Plans where a topic is read on from after a reset."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from daemon.domain.errors import DaemonError
from daemon.domain.halts import OffsetChange
from daemon.domain.streams import Start, TopicPartition
from daemon.kafka.offsets import TopicOffsets


class Edge(StrEnum):
    """An end of a partition."""

    EARLIEST = "earliest"
    LATEST = "latest"


#: Where to read on: an edge, the first record of a time, or an offset. None: where the next record is missing, at the
#: earliest record; elsewhere where reading stopped.
ResetTarget: TypeAlias = Edge | datetime | int | None


class BadReset(DaemonError):
    """The partition or the offset to read on from is not in the topic."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PartitionReset:
    """Where one partition is read on from."""

    partition: int
    before: int | None  # None: it was never read
    after: int
    end: int  # offset after the last record
    recreated: bool  # ``before`` counts in a topic that is gone

    @property
    def skipped(self) -> int:
        """Number of offsets that are never read."""
        return 0 if self.recreated else max(0, self.after - self._expected)

    @property
    def read_again(self) -> int:
        """Number of offsets that were read before."""
        return 0 if self.recreated or self.before is None else max(0, min(self.before, self.end) - self.after)

    @property
    def _expected(self) -> int:
        return self.after if self.before is None else self.before


@dataclass(frozen=True, kw_only=True, slots=True)
class TopicReset:
    """Where each partition of a topic is read on from."""

    topic: str
    topic_id: str | None
    partitions: Sequence[PartitionReset]
    gone: Sequence[TopicPartition]  # that were read, and that the topic no longer has

    def changes(self, *, by: str, why: str, now: datetime) -> list[OffsetChange]:
        """Return the plan as the ledger records it."""
        return [
            OffsetChange(
                topic=self.topic,
                partition=entry.partition,
                before=entry.before,
                after=entry.after,
                at=now,
                by=by,
                why=why,
            )
            for entry in self.partitions
        ]


def parse_target(text: str | None) -> ResetTarget:
    """Read what was typed after ``--to``. Raises BadReset."""
    if text is None:
        return None
    if text in tuple(Edge):
        return Edge(text)
    if text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadReset(
            f"{text!r} is neither earliest nor latest, an offset or a time such as 2026-11-30T08:00Z"
        ) from None
    if moment.tzinfo is None:
        raise BadReset(f"{text} has no time zone; add one, such as {text}Z for UTC")
    return moment


def plan_reset(
    topic: str,
    starts: Mapping[TopicPartition, Start],
    found: TopicOffsets,
    target: ResetTarget,
    *,
    only: int | None = None,
) -> TopicReset:
    """Return where each partition is read on from. ``only`` moves one partition. Raises BadReset."""
    stored = {source.partition: start for source, start in starts.items() if source.topic == topic}
    if only is not None and only not in found.first:
        raise BadReset(f"{topic} has no partition {only}; it has {_named(topic, found)}")
    moved = found.first if only is None else {only}
    return TopicReset(
        topic=topic,
        topic_id=found.topic_id,
        partitions=tuple(_partitions(topic, stored, found, target, moved)),
        gone=_gone(topic, stored, found) if only is None else (),
    )


def _named(topic: str, found: TopicOffsets) -> str:
    first, last = min(found.first), max(found.first)
    return f"{topic}/{first} alone" if first == last else f"{topic}/{first} to {topic}/{last}"


def _gone(topic: str, stored: Mapping[int, Start], found: TopicOffsets) -> tuple[TopicPartition, ...]:
    return tuple(TopicPartition(topic, number) for number in sorted(stored.keys() - found.first.keys()))


def _partitions(
    topic: str,
    stored: Mapping[int, Start],
    found: TopicOffsets,
    target: ResetTarget,
    moved: Mapping[int, int] | set[int],
) -> Iterator[PartitionReset]:
    for partition in sorted(moved):
        start = stored.get(partition)
        recreated = (
            start is not None
            and None not in (start.topic_id, found.topic_id)
            and start.topic_id != found.topic_id
        )
        first, end = found.first[partition], found.end[partition]
        after = _offset(topic, partition, found, target)
        if after is None:
            readable = start is not None and not recreated and first <= start.offset <= end
            after = start.offset if start is not None and readable else first
        yield PartitionReset(
            partition=partition,
            before=None if start is None else start.offset,
            after=after,
            end=end,
            recreated=recreated,
        )


def _offset(topic: str, partition: int, found: TopicOffsets, target: ResetTarget) -> int | None:
    """Return the offset that a target names; None for the default target."""
    first, end = found.first[partition], found.end[partition]
    if target is None:
        return None
    if isinstance(target, datetime):
        return found.at[partition]
    if isinstance(target, Edge):
        return first if target is Edge.EARLIEST else end
    if not first <= target <= end:
        raise BadReset(f"{topic}/{partition} has the offsets {first} to {end} (end excluded), not {target}")
    return target
