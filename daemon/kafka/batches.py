"""Record batches that take no more memory than they may, and name what in them can't be read."""

import contextlib
import traceback
from collections.abc import Iterator
from contextvars import ContextVar

from daemon.kafka.decompression import Allowance, AllowanceSpent, DecompressionError, TooLarge
from daemon.kafka.library import (
    ClientPartition,
    DefaultRecordBatch,
    Fetcher,
    LegacyRecordBatch,
    consumer_group,
    kafka_errors,
    memory_records,
)
from daemon.kafka.records import ClientRecord

#: What the poll that is going on may still take out of compression.
_allowance: ContextVar[Allowance] = ContextVar("_allowance")


@contextlib.contextmanager
def allowed(limit: int) -> Iterator[None]:
    """Let a poll take so many bytes out of compression. Without it, none can be."""
    token = _allowance.set(Allowance(limit))
    try:
        yield
    finally:
        _allowance.reset(token)


def let_go(error: BaseException) -> None:
    """Free what the calls behind an error hold: the client's refer to each other in a circle, batches in hand."""
    behind: BaseException | None = error
    while behind is not None:
        traceback.clear_frames(behind.__traceback__)
        behind = behind.__context__


class Unreadable(kafka_errors.KafkaError):  # type: ignore[misc]
    """A record batch that was fetched and can't be taken apart."""

    def __init__(self, part: ClientPartition, offset: int, next_offset: int, cause: Exception) -> None:
        super().__init__(
            f"the record batch at offset {offset} can't be read: {str(cause) or type(cause).__name__}"
        )
        self.part = part
        self.offset = offset
        self.next_offset = next_offset  # of the batch behind it
        self.cause = cause


class _BoundedBatch(DefaultRecordBatch):  # type: ignore[misc]
    """A batch that takes no more than the allowance out of its compression. The client itself knows no bound."""

    _buffer: bytearray
    _pos: int
    _decompressed: bool

    def _maybe_uncompress(self) -> None:
        if not self._decompressed and self.compression_type != self.CODEC_NONE:
            data = bytes(memoryview(self._buffer)[self._pos :])
            self._buffer = _decompressed(self.compression_type, data)
            self._pos = 0
        self._decompressed = True


class _BoundedLegacyBatch(LegacyRecordBatch):  # type: ignore[misc]
    """The same for the formats before Kafka 0.11."""

    def _decompress(self, key_offset: int) -> bytearray:
        _, data = self._read_key_value(key_offset)
        return _decompressed(self.compression_type, data or b"")


def _decompressed(codec: int, data: bytes) -> bytearray:
    if codec not in _CODECS:
        raise kafka_errors.UnsupportedCodecError(f"no compression has the number {codec}")
    return _allowance.get().decompress(_CODECS[codec], data)


_CODECS = {
    DefaultRecordBatch.CODEC_GZIP: "gzip",
    DefaultRecordBatch.CODEC_SNAPPY: "snappy",
    DefaultRecordBatch.CODEC_LZ4: "lz4",
    DefaultRecordBatch.CODEC_ZSTD: "zstd",
}


class _Batches:
    """The batches of one partition in one answer; remembers the one that is being read."""

    def __init__(self, records: memory_records.MemoryRecords) -> None:
        self._records = records
        self.current: DefaultRecordBatch | LegacyRecordBatch | None = None

    def next_batch(self) -> DefaultRecordBatch | LegacyRecordBatch | None:
        self.current = self._records.next_batch()
        return self.current


class _CarefulRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """Records of one partition in one answer. What can't be read is named, and fetched again.

    The client's own would be asked for records for ever after an error, and poll never come back.
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
            behind = getattr(self._batches.current, "next_offset", offset + 1)
            raise Unreadable(self.topic_partition, offset, behind, error) from error
        return taken


class WatchedFetcher(Fetcher):  # type: ignore[misc]
    """Remembers the brokers whose last fetch failed: an answer too large for the client is a lost connection to it."""

    PartitionRecords = _CarefulRecords

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.failing: set[int] = set()

    def _handle_fetch_response(self, node_id: int, *rest: object) -> None:
        self.failing.discard(node_id)
        super()._handle_fetch_response(node_id, *rest)

    def _handle_fetch_error(self, node_id: int, exception: Exception) -> None:
        self.failing.add(node_id)
        super()._handle_fetch_error(node_id, exception)


# The client names these classes itself, so ours are put in their place here, once.
memory_records.DefaultRecordBatch = _BoundedBatch
memory_records.LegacyRecordBatch = _BoundedLegacyBatch
consumer_group.Fetcher = WatchedFetcher
