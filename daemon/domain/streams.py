"""Where records come from and where they go: the promises that the loop relies on. No Kafka client here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from daemon.domain.errors import DaemonError


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


Headers: TypeAlias = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, kw_only=True, slots=True)
class RawRecord:
    """One record as the broker keeps it."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int  # of the producer or the broker, as the topic is set up
    key: bytes | None
    value: bytes | None  # None is a tombstone
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def source(self) -> TopicPartition:
        """The partition it came from."""
        return TopicPartition(self.topic, self.partition)


class StreamError(DaemonError):
    """Root of all errors of sources and sinks."""


class IntakeMustHalt(StreamError):
    """Going on by itself could skip records or read them twice, so an operator decides."""

    def __init__(self, source: TopicPartition, offset: int, problem: str, remedy: str) -> None:
        super().__init__(f"{source.topic}/{source.partition}: {problem}. {remedy}")
        self.source = source
        self.offset = offset  # that was to be read next


class OffsetLost(IntakeMustHalt):
    """The record to go on from is not in the topic: it expired, or the topic was made anew."""

    def __init__(self, source: TopicPartition, offset: int, available: tuple[int | None, int | None]) -> None:
        first, end = ("unknown" if bound is None else str(bound) for bound in available)
        super().__init__(
            source,
            offset,
            f"offset {offset} is not in the topic, which has {first} to {end} (end excluded)",
            f"If records expired, accept the gap: `{_seek(source, available[0])}`; if the topic was made anew, read "
            f"it from its start: `{_seek(source, 0)}`",
        )
        self.available = available


class TopicRecreated(IntakeMustHalt):
    """Another topic has taken the name: its offsets mean other records."""

    def __init__(self, source: TopicPartition, offset: int, *, known: str, found: str) -> None:
        super().__init__(
            source,
            offset,
            f"the topic was made anew: {offset} is an offset of topic id {known}, and the topic now has id {found}",
            f"Read the new one from its start: `{_seek(source, 0)}`",
        )
        self.known = known
        self.found = found


class FetchStalled(IntakeMustHalt):
    """There are records from this offset on, and none of them can be had."""

    def __init__(
        self, source: TopicPartition, offset: int, problem: str, *, next_offset: int | None = None
    ) -> None:
        """``next_offset`` is where what can't be read ends; None where that is unknown."""
        super().__init__(
            source,
            offset,
            problem,
            f"Read on behind it: `{_seek(source, next_offset or offset + 1)}`, or raise the limit and "
            "`retuned intake resume -m REASON`",
        )


class BatchTooLarge(IntakeMustHalt):
    """A compressed record batch holds more than may be taken into memory."""

    def __init__(self, source: TopicPartition, offset: int, *, next_offset: int, limit: int) -> None:
        super().__init__(
            source,
            offset,
            f"the compressed record batch at offset {offset}, which ends before {next_offset}, holds more than {limit} "
            "bytes (kafka.max_batch_bytes)",
            f"Leave it out: `{_seek(source, next_offset)}`, or raise the limit as far as memory allows, start again, "
            "and `retuned intake resume -m REASON`",
        )
        self.next_offset = next_offset


def _seek(source: TopicPartition, offset: int | None) -> str:
    return f"retuned intake seek {source.topic}/{source.partition} {'OFFSET' if offset is None else offset} -m REASON"


class BrokerUnreachable(StreamError):
    """No broker answered in time, or it refused us."""


class Start(NamedTuple):
    """Which record a partition goes on from, and which topic that offset was counted in."""

    offset: int
    topic_id: str | None = None  # None: unknown; whatever topic has the name is taken for the same


#: Given the partitions that were just assigned, says which record each goes on from: the ledger's
#: offsets. A partition that isn't in the answer starts at its earliest record; others are ignored.
StartOffsets: TypeAlias = Callable[[Iterable[TopicPartition]], Mapping[TopicPartition, Start]]


class RecordSource(Protocol):
    """Reads records of the partitions that the group gives to this member.

    Per partition, records come in order of offset, from the start offset on, none twice and none
    left out, until the partition is taken away. When it comes back the start offsets are asked
    again, inside ``poll`` and on the caller's thread: whoever has recorded the effects of all
    earlier polls by then counts every record once.
    """

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[RawRecord]:
        """Return what has arrived, after at most ``timeout_s``; nothing while no broker answers.

        Raises IntakeMustHalt, and whatever the start offsets raise. It may be polled again once it is closed: it then
        joins its group anew.
        """
        ...

    def topic_id(self, topic: str) -> str | None:
        """Return the topic's own id, another for each topic of a name; None where the broker tells none."""
        ...

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Tell the broker how far we are (the next offset of each), for lag tools only. Never fails."""
        ...

    def lag(self) -> dict[TopicPartition, int] | None:
        """Count the records not yet polled, as of the last answers; None while no broker is connected."""
        ...

    @property
    def connected(self) -> bool:
        """Whether a broker is connected at this moment."""
        ...

    def close(self, timeout_s: float) -> None:
        """Leave the group and release everything, in about ``timeout_s`` whatever the broker does."""
        ...


class RecordSink(Protocol):
    """Writes records, each at least once.

    What was sent and not acknowledged stays here and goes again with the next flush.
    """

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Queue a record. Never blocks, never fails."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Deliver what is queued; True once all of it is acknowledged."""
        ...

    def close(self, timeout_s: float) -> bool:
        """Flush and release everything; True if nothing was left behind."""
        ...
