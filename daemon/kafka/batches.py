"""Record batches that are decompressed within a memory bound, and a fetcher that names unreadable ones."""

import contextlib
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from daemon.kafka.decompression import Allowance, AllowanceSpent, DecompressionError, TooLarge
from daemon.kafka.library import (
    ClientPartition,
    DefaultRecordBatch,
    Fetcher,
    LegacyRecordBatch,
    kafka_errors,
    memory_records,
)
from daemon.kafka.records import ClientRecord

#: How many bytes the current poll may still decompress.
_allowance: ContextVar[Allowance] = ContextVar("_allowance")


@contextlib.contextmanager
def decompression_limit(max_bytes: int) -> Iterator[None]:
    """Allow a poll to decompress this many bytes. Outside this context nothing can be decompressed."""
    token = _allowance.set(Allowance(max_bytes))
    try:
        yield
    finally:
        _allowance.reset(token)


def clear_frames(error: BaseException) -> None:
    """Free the batches that the frames of an error hold: the client's frames form reference cycles."""
    current: BaseException | None = error
    while current is not None:
        traceback.clear_frames(current.__traceback__)
        current = current.__context__


class Unreadable(kafka_errors.KafkaError):  # type: ignore[misc]
    """A fetched record batch can't be decoded."""

    def __init__(self, partition: ClientPartition, offset: int, next_offset: int, cause: Exception) -> None:
        super().__init__(
            f"the record batch at offset {offset} can't be read: {str(cause) or type(cause).__name__}"
        )
        self.partition = partition
        self.offset = offset
        self.next_offset = next_offset  # of the batch that follows
        self.cause = cause


class BoundedBatch(DefaultRecordBatch):  # type: ignore[misc]
    """A batch that is decompressed within the poll's allowance. The client's own has no bound."""

    _buffer: bytearray
    _pos: int
    _decompressed: bool

    def _maybe_uncompress(self) -> None:
        if not self._decompressed and self.compression_type != self.CODEC_NONE:
            data = bytes(memoryview(self._buffer)[self._pos :])
            self._buffer = _decompressed(self.compression_type, data)
            self._pos = 0
        self._decompressed = True


class BoundedLegacyBatch(LegacyRecordBatch):  # type: ignore[misc]
    """The same for the record formats before Kafka 0.11."""

    def _decompress(self, key_offset: int) -> bytearray:
        _, data = self._read_key_value(key_offset)
        return _decompressed(self.compression_type, data or b"")


def _decompressed(codec: int, data: bytes) -> bytearray:
    if codec not in _CODECS:
        raise kafka_errors.UnsupportedCodecError(f"unknown compression codec {codec}")
    return _allowance.get().decompress(_CODECS[codec], data)


_CODECS = {
    DefaultRecordBatch.CODEC_GZIP: "gzip",
    DefaultRecordBatch.CODEC_SNAPPY: "snappy",
    DefaultRecordBatch.CODEC_LZ4: "lz4",
    DefaultRecordBatch.CODEC_ZSTD: "zstd",
}


class _Batches:
    """The batches of one partition in one fetch response; ``current`` is the one being read."""

    def __init__(self, records: memory_records.MemoryRecords) -> None:
        self._records = records
        self.current: DefaultRecordBatch | LegacyRecordBatch | None = None

    def next_batch(self) -> DefaultRecordBatch | LegacyRecordBatch | None:
        self.current = self._records.next_batch()
        return self.current


class _CheckedRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one partition in one fetch response. An unreadable batch raises Unreadable and is fetched again.

    With the client's own class, poll would ask for its records for ever after an error and never return.
    """

    def __init__(self, fetch_offset: int, tp: ClientPartition, records: object, **options: object) -> None:
        self._batches = _Batches(records)
        super().__init__(fetch_offset, tp, self._batches, **options)

    def take(self, n: int | None = None) -> list["ClientRecord"]:
        try:
            taken: list[ClientRecord] = super().take(n)
        except AllowanceSpent:
            self.drain()
            raise
        except (kafka_errors.KafkaError, DecompressionError, TooLarge) as error:
            self.drain()
            offset = self.next_fetch_offset
            next_offset = getattr(self._batches.current, "next_offset", offset + 1)
            raise Unreadable(self.topic_partition, offset, next_offset, error) from error
        return taken


class WatchedFetcher(Fetcher):  # type: ignore[misc]
    """Remembers the brokers whose last fetch failed, such as by a response that is too large for the client.

    It also remembers the last stable offset of each partition, which the client drops: the end of what a reader of
    committed records can get.
    """

    PartitionRecords = _CheckedRecords

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.failing: set[int] = set()
        self.stable_ends: dict[ClientPartition, int] = {}
        self.answers = 0  # to fetches, a partition each, without an error

    def _handle_fetch_response(self, node_id: int, *rest: object) -> None:
        self.failing.discard(node_id)
        super()._handle_fetch_response(node_id, *rest)

    def _parse_fetched_data(self, completed_fetch: Any) -> _CheckedRecords | None:
        parsed: _CheckedRecords | None = super()._parse_fetched_data(completed_fetch)
        stable_end = completed_fetch.partition_data.last_stable_offset
        if parsed is not None:
            self.answers += 1
            if stable_end is not None and stable_end >= 0:  # -1: the broker reports none
                self.stable_ends[completed_fetch.topic_partition] = stable_end
        return parsed

    def _handle_fetch_error(self, node_id: int, exception: Exception) -> None:
        self.failing.add(node_id)
        super()._handle_fetch_error(node_id, exception)
