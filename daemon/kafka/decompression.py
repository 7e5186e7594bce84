"""Decompresses record batches up to a limit, so that a small batch can't exhaust memory."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

_PIECE = 2**20
_GZIP = 16 + zlib.MAX_WBITS
_LARGEST_WINDOW = 2**31
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER = 16

_Pieces: TypeAlias = Callable[[bytes, int], Iterator[bytes]]


class DecompressionError(ValueError):
    """The data are not valid for their codec."""


class TooLarge(Exception):
    """The decompressed data exceed the limit."""


class AllowanceSpent(Exception):
    """The rest of the allowance is too small for the data; alone they may fit."""


class Allowance:
    """How many bytes may be decompressed in all."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._left = limit

    def decompress(self, codec: str, data: bytes) -> bytearray:
        """Decompress the data. Raises DecompressionError; TooLarge, or AllowanceSpent if part of the allowance was used."""
        try:
            found = decompress(codec, data, self._left)
        except TooLarge as error:
            if self._left < self.limit:
                raise AllowanceSpent from error
            raise
        self._left -= len(found)
        return found


def decompress(codec: str, data: bytes, limit: int) -> bytearray:
    """Decompress gzip, snappy, lz4 or zstd data.

    Raises DecompressionError, and TooLarge soon after ``limit`` bytes. Truncated zstd data give what they hold: the
    lengths of the records show that some are missing.
    """
    found = bytearray()
    for piece in _CODECS[codec](data, limit):
        if len(found) + len(piece) > limit:
            raise TooLarge
        found += piece
    return found


def _gunzip(data: bytes, _limit: int) -> Iterator[bytes]:
    while data:
        member = zlib.decompressobj(_GZIP)
        try:
            yield member.decompress(data, _PIECE)
            while not member.eof:
                piece = member.decompress(member.unconsumed_tail, _PIECE)
                if not piece and not member.eof:
                    raise DecompressionError("gzip data end too early")
                yield piece
        except zlib.error as error:
            raise DecompressionError(str(error)) from error
        data = member.unused_data.lstrip(b"\0")


def _unlz4(data: bytes, _limit: int) -> Iterator[bytes]:
    from lz4.frame import LZ4FrameDecompressor

    while data:
        frame = LZ4FrameDecompressor()
        try:
            yield frame.decompress(data, _PIECE)
            while not frame.eof:
                piece = frame.decompress(b"", _PIECE)
                if not piece and not frame.eof:
                    raise DecompressionError("lz4 data end too early")
                yield piece
        except RuntimeError as error:
            raise DecompressionError(str(error)) from error
        data = frame.unused_data or b""


def _unzstd(data: bytes, limit: int) -> Iterator[bytes]:
    import zstandard

    # A frame may request a window of gigabytes, which is allocated before the first byte.
    window = min(1 << max(limit, 8 * _PIECE).bit_length(), _LARGEST_WINDOW)
    try:
        with zstandard.ZstdDecompressor(max_window_size=window).stream_reader(
            data, read_across_frames=True
        ) as reader:
            while piece := reader.read(_PIECE):
                yield piece
    except zstandard.ZstdError as error:
        raise DecompressionError(str(error)) from error


def _unsnappy(data: bytes, limit: int) -> Iterator[bytes]:
    if not data.startswith(_XERIAL):
        yield _snappy_block(data, limit)
        return
    at = _XERIAL_HEADER
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], signed=True)
        block = data[at + 4 : at + 4 + size]
        if size < 0 or len(block) < size:
            raise DecompressionError(f"a snappy block of {size} bytes is missing")
        yield _snappy_block(block, limit)
        at += 4 + size


def _snappy_block(block: bytes, limit: int) -> bytes:
    import snappy

    if _snappy_length(block) > limit:
        raise TooLarge
    try:
        return bytes(snappy.decompress(block))
    except Exception as error:  # the library's error types differ between releases
        raise DecompressionError(str(error)) from error


def _snappy_length(block: bytes) -> int:
    """Return the declared length of a block: a varint at its start."""
    length = 0
    for place, byte in enumerate(block[:5]):
        length |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return length
    raise DecompressionError("a snappy block without its length")


_CODECS: Mapping[str, _Pieces] = {"gzip": _gunzip, "snappy": _unsnappy, "lz4": _unlz4, "zstd": _unzstd}
