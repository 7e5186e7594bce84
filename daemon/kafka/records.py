"""Converts records of the client."""

from collections.abc import Sequence
from typing import Protocol

from daemon.domain.streams import RawRecord

#: Longest single wait inside poll. Newly assigned partitions are placed between two waits.
POLL_SLICE_S = 0.1


class ClientRecord(Protocol):
    """A record as the client returns it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def raw_record(record: ClientRecord) -> RawRecord:
    """Return the record as the daemon represents it."""
    return RawRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )
