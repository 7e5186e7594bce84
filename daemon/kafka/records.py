"""Records as they come out of the client."""

from collections.abc import Sequence
from typing import Protocol

from daemon.domain.streams import RawRecord

#: One wait inside poll. Newly assigned partitions are placed between two waits.
SLICE_S = 0.1


class ClientRecord(Protocol):
    """A record as the client hands it out."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def raw_record(record: ClientRecord) -> RawRecord:
    """Return it as the loop knows it."""
    return RawRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )
