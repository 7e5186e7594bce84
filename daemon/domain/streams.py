"""Sources and sinks of records, as protocols, and their errors. Knows no Kafka client."""

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
    """One record as the broker stores it."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int  # set by the producer or the broker, as the topic is configured
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
    """Continuing could skip records or read others in their place, so an operator must decide."""

    def __init__(self, source: TopicPartition, offset: int, problem: str, remedy: str) -> None:
        super().__init__(f"{source.topic}/{source.partition}: {problem}. {remedy}")
        self.source = source
        self.offset = offset  # the next to read


class OffsetLost(IntakeMustHalt):
    """The topic does not have the next record: it expired, or the topic was recreated."""

    def __init__(self, source: TopicPartition, offset: int, available: tuple[int | None, int | None]) -> None:
        first, end = ("unknown" if bound is None else str(bound) for bound in available)
        super().__init__(
            source,
            offset,
            f"offset {offset} is not in the topic, which has {first} to {end} (end excluded)",
            f"Read on from the earliest record that there is, in this and every other such partition: `{_RESET}`",
        )
        self.available = available


class TopicRecreated(IntakeMustHalt):
    """The topic was deleted and created anew: its offsets mean other records."""

    def __init__(self, source: TopicPartition, offset: int, *, known: str, found: str) -> None:
        super().__init__(
            source,
            offset,
            f"the topic was recreated: {offset} is an offset of topic id {known}, and the topic now has id {found}",
            f"Read the new one from its start, in all partitions: `{_RESET}`",
        )
        self.known = known
        self.found = found


class FetchStalled(IntakeMustHalt):
    """The topic has records from this offset on, but delivers none."""

    def __init__(
        self, source: TopicPartition, offset: int, problem: str, *, next_offset: int | None = None
    ) -> None:
        """``next_offset`` is the first offset after the unreadable records; None if unknown."""
        super().__init__(
            source,
            offset,
            problem,
            f"Skip it: `{_seek(source, next_offset or offset + 1)}`, or raise the limit and "
            "`retuned intake resume -m REASON`",
        )


class BatchTooLarge(IntakeMustHalt):
    """A compressed record batch is larger than may be decompressed."""

    def __init__(self, source: TopicPartition, offset: int, *, next_offset: int, limit: int) -> None:
        super().__init__(
            source,
            offset,
            f"the compressed record batch at offset {offset}, which ends before {next_offset}, holds more than {limit} "
            "bytes (kafka.max_batch_bytes)",
            f"Skip it: `{_seek(source, next_offset)}`, or raise the limit as far as memory allows, restart, "
            "and `retuned intake resume -m REASON`",
        )
        self.next_offset = next_offset


#: Brings back every partition whose next record is missing.
_RESET = "retuned intake reset -m REASON"


def _seek(source: TopicPartition, offset: int) -> str:
    return f"retuned intake seek {source.topic}/{source.partition} {offset} -m REASON"


class BrokerUnreachable(StreamError):
    """No broker answered in time, or the broker refused the connection."""


class TopicMissing(StreamError):
    """The broker has no topic of this name."""

    def __init__(self, topic: str, *, setting: str) -> None:
        super().__init__(
            f"there is no topic {topic}; correct {setting}, or create it: `retuned doctor --create-topics`"
        )
        self.topic = topic


class AccessDenied(BrokerUnreachable):
    """The broker answers, but refuses an operation to this client."""

    def __init__(self, message: str, *, grant: str) -> None:
        super().__init__(message)
        self.grant = grant  # the command that grants it


class Start(NamedTuple):
    """The offset that a partition continues from, and the topic that it was counted in."""

    offset: int
    topic_id: str | None = None  # None: unknown; any topic of the name is accepted


class TransactionWait(NamedTuple):
    """A partition whose next records belong to an open transaction, or follow one."""

    source: TopicPartition
    offset: int  # of the next record, once the transaction ends
    seconds: float  # since it was first seen to wait there


#: Returns the ledger's offsets for partitions that were just assigned. A partition that is missing in the result starts
#: at its earliest record.
StartOffsets: TypeAlias = Callable[[Iterable[TopicPartition]], Mapping[TopicPartition, Start]]


class RecordSource(Protocol):
    """Reads the records of the partitions that the consumer group assigns to this member.

    A partition's records come in order of offset, from its start offset on, each once and without gaps, until the
    partition is revoked. When it is assigned again, ``poll`` asks for the start offsets again, on the caller's thread: a
    caller that has recorded the effects of all earlier polls by then counts every record once.
    """

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[RawRecord]:
        """Return the records that arrive within ``timeout_s``; none while no broker answers.

        Raises IntakeMustHalt, and whatever the start offsets raise. A closed source can be polled again: it then joins
        its group again.
        """
        ...

    def topic_id(self, topic: str) -> str | None:
        """Return the topic's id, which a recreated topic does not keep; None if the broker has no topic ids."""
        ...

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit the next offset of each partition to the broker, for lag tools only. Never fails."""
        ...

    def lag(self) -> dict[TopicPartition, int] | None:
        """Return the number of offsets up to the end of what can be read, as of the latest answers.

        Records of an open transaction, and those after it, can't be read yet. None while no broker is connected.
        """
        ...

    def transaction_waits(self) -> Sequence[TransactionWait]:
        """Return the partitions that wait for an open transaction to end."""
        ...

    @property
    def connected(self) -> bool:
        """Whether a broker is connected now."""
        ...

    @property
    def problem(self) -> str | None:
        """Why nothing can be read now, in one sentence: no broker, no topic, or a right that is refused."""
        ...

    def close(self, timeout_s: float) -> None:
        """Leave the group and release all resources, within about ``timeout_s`` whatever the broker does."""
        ...


class RecordSink(Protocol):
    """Writes records, each at least once.

    Records that the broker has not acknowledged stay queued for the next flush.
    """

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Queue a record. Never blocks, never fails."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Deliver the queue; return whether all of it was acknowledged."""
        ...

    @property
    def problem(self) -> str | None:
        """Why the last flush did not deliver the queue, in one sentence; None if it did."""
        ...

    def close(self, timeout_s: float) -> bool:
        """Flush, and release all resources; return whether all of the queue was acknowledged."""
        ...
