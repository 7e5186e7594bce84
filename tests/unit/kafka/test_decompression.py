import gzip
import struct
from collections.abc import Callable, Mapping

import lz4.frame
import pytest
import snappy
import zstandard

from daemon.kafka.decompression import Allowance, AllowanceSpent, DecompressionError, TooLarge, decompress

TEXT = "你好, hello. ".encode() * 100_000  # more than a piece


def _xerial(data: bytes) -> bytes:
    """As Java producers write snappy: blocks of 32 KiB."""
    blocks = [snappy.compress(data[at : at + 32_768]) for at in range(0, len(data), 32_768)]
    header = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)
    return header + b"".join(struct.pack(">i", len(block)) + block for block in blocks)


COMPRESS: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "snappy": ("snappy", lambda data: bytes(snappy.compress(data))),
    "snappy of Java": ("snappy", _xerial),
    "lz4": ("lz4", lz4.frame.compress),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
    "zstd without its size": ("zstd", zstandard.ZstdCompressor(write_content_size=False).compress),
}


@pytest.fixture(params=COMPRESS)
def codec(request: pytest.FixtureRequest) -> tuple[str, Callable[[bytes], bytes]]:
    return COMPRESS[request.param]


def test_what_went_in_comes_out(codec: tuple[str, Callable[[bytes], bytes]]) -> None:
    name, compress = codec

    assert decompress(name, compress(TEXT), len(TEXT)) == TEXT
    assert decompress(name, compress(b""), 0) == b""


def test_a_byte_more_than_the_limit_is_too_much(codec: tuple[str, Callable[[bytes], bytes]]) -> None:
    name, compress = codec

    with pytest.raises(TooLarge):
        decompress(name, compress(TEXT), len(TEXT) - 1)


@pytest.mark.parametrize("kind", ["gzip", "snappy", "snappy of Java", "lz4"])
def test_data_that_end_too_early_are_refused(kind: str) -> None:
    name, compress = COMPRESS[kind]

    with pytest.raises(DecompressionError):
        decompress(name, compress(TEXT)[:-20], len(TEXT))


@pytest.mark.parametrize("name", ["gzip", "snappy", "lz4", "zstd"])
def test_other_bytes_are_refused(name: str) -> None:
    with pytest.raises(DecompressionError):
        decompress(name, b"\x05 no codec writes this", 1000)


@pytest.mark.parametrize("name", ["gzip", "lz4", "zstd"])
def test_members_that_follow_each_other_are_one(name: str) -> None:
    _, compress = COMPRESS[name]

    assert decompress(name, compress(b"one, ") + compress(b"two"), 100) == b"one, two"
    with pytest.raises(TooLarge):
        decompress(name, compress(b"one, ") + compress(b"two"), 6)


def test_a_snappy_block_of_negative_size_is_refused() -> None:
    with pytest.raises(DecompressionError, match="-4 bytes"):
        decompress("snappy", b"\x82SNAPPY\x00" + struct.pack(">iii", 1, 1, -4), 1000)


def test_a_snappy_length_is_believed_before_anything_is_made() -> None:
    with pytest.raises(TooLarge):
        decompress("snappy", b"\xff\xff\xff\xff\x0f rest", 1000)


def test_an_allowance_is_for_all_that_is_decompressed() -> None:
    allowance = Allowance(10)
    allowance.decompress("gzip", gzip.compress(b"123456"))

    with pytest.raises(AllowanceSpent):
        allowance.decompress("gzip", gzip.compress(b"12345"))
    assert allowance.decompress("gzip", gzip.compress(b"1234")) == b"1234"


def test_what_never_fits_is_told_from_what_does_not_fit_any_more() -> None:
    with pytest.raises(TooLarge):
        Allowance(10).decompress("gzip", gzip.compress(b"12345678901"))
