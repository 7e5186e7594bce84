"""Where records come from and where they go: the promises that the loop relies on. No Kafka client here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from daemon.errors import DaemonError


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


class OffsetLost(StreamError):
    """The record to go on from is not in the topic: it expired, or the topic was made anew.

    Going on by itself could skip records or read them twice, so an operator decides.
    """

    def __init__(self, source: TopicPartition, offset: int, available: tuple[int | None, int | None]) -> None:
        first, end = ("unknown" if bound is None else str(bound) for bound in available)
        super().__init__(
            f"{source.topic}/{source.partition}: offset {offset} is not in the topic, which has {first} to {end} "
            "(end excluded). If records expired, accept the gap by setting this partition's offset in the ledger to "
            "the first one; if the topic was made anew, set it to 0; then start again"
        )
        self.source = source
        self.offset = offset
        self.available = available


class BrokerUnreachable(StreamError):
    """No broker answered in time, or it refused us."""


#: Given the partitions that were just assigned, says which record each goes on from: the ledger's
#: offsets. A partition that isn't in the answer starts at its earliest record; others are ignored.
StartOffsets: TypeAlias = Callable[[Iterable[TopicPartition]], Mapping[TopicPartition, int]]


class RecordSource(Protocol):
    """Reads records of the partitions that the group gives to this member.

    Per partition, records come in order of offset, from the start offset on, none twice and none
    left out, until the partition is taken away. When it comes back the start offsets are asked
    again, inside ``poll`` and on the caller's thread: whoever has recorded the effects of all
    earlier polls by then counts every record once.
    """

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[RawRecord]:
        """Return what has arrived, after at most ``timeout_s``; nothing while no broker answers.

        Raises OffsetLost, and whatever the start offsets raise.
        """
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
