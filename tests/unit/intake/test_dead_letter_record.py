from daemon.domain.records import Coordinates, DeadLetter
from daemon.intake.dead_letter_record import MAX_VALUE_BYTES, encode
from tests.factories.intake import NOW


def a_dead_letter(value: bytes | None = b"\xff{", key: bytes | None = b"u-1") -> DeadLetter:
    at = Coordinates(topic="conversations", partition=2, offset=7)
    return DeadLetter(
        at=at,
        reason="bad_field",
        field="ts",
        message="ts: is not a time 时间",
        key=key,
        value=value,
        when=NOW,
        digest="d" * 64,
        size=len(value or b""),
    )


def test_a_dead_letter_keeps_the_original_bytes() -> None:
    assert encode(a_dead_letter(b"\x00\xff"))[1] == b"\x00\xff"


def test_its_key_is_where_the_record_was() -> None:
    assert encode(a_dead_letter())[0] == b"conversations/2/7"


def test_its_headers_say_why_where_and_when() -> None:
    assert dict(encode(a_dead_letter())[2]) == {
        "retuned.reason": b"bad_field",
        "retuned.field": b"ts",
        "retuned.message": "ts: is not a time 时间".encode(),
        "retuned.topic": b"conversations",
        "retuned.partition": b"2",
        "retuned.offset": b"7",
        "retuned.time": b"2026-11-24T12:00:00+00:00",
        "retuned.size": b"2",
        "retuned.sha256": b"d" * 64,
        "retuned.key": b"u-1",
    }


def test_a_tombstone_stays_a_tombstone() -> None:
    _, value, headers = encode(a_dead_letter(None, key=None))

    assert value is None
    assert "retuned.key" not in dict(headers)


def test_a_record_that_no_broker_takes_is_cut_and_says_so() -> None:
    _, value, headers = encode(a_dead_letter(b"x" * (MAX_VALUE_BYTES + 5)))

    assert value == b"x" * MAX_VALUE_BYTES
    assert dict(headers)["retuned.size"] == str(MAX_VALUE_BYTES + 5).encode()
