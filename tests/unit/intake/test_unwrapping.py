import contextlib
import gzip
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config.settings import LimitsSection
from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON
from daemon.intake.unwrapping import unwrap
from tests.factories.intake import a_record
from tests.support.hostile import values

RECORD = a_record()
TEXT = orjson.dumps(RECORD).decode()
LIMITS = LimitsSection()
FRAME = b"\0" + (42).to_bytes(4)


def unwrapped(value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> tuple[Any, ...]:
    return unwrap(value, limits=LIMITS, headers=headers)


def refusal(value: bytes, **limits: int) -> BadRecord:
    with pytest.raises(BadRecord) as refused:
        unwrap(value, limits=LimitsSection(**limits))
    return refused.value


def connect(payload: JSON) -> JSON:
    return {"schema": {"type": "struct"}, "payload": payload}


def debezium(after: JSON, op: str = "c") -> JSON:
    return {"before": None, "after": after, "op": op, "source": {"db": "chat"}, "ts_ms": 1_795_000_000_000}


def event(**fields: JSON) -> JSON:
    return {"specversion": "1.0", "id": "e-1", "type": "chat.ended", "source": "/bot", **fields}


@pytest.mark.parametrize(
    "wrapped",
    [
        RECORD,
        TEXT,
        orjson.dumps(TEXT).decode(),
        [RECORD],
        [TEXT],
        connect(RECORD),
        connect(TEXT),
        {"schema": None, "payload": RECORD},
        debezium(RECORD),
        debezium(TEXT),
        debezium({"id": 9, "body": TEXT}),
        debezium({"id": 9, "body": RECORD}),
        debezium({**RECORD, "messages": orjson.dumps(RECORD["messages"]).decode()}),
        connect(debezium({**RECORD, "messages": orjson.dumps(RECORD["messages"]).decode()}, "u")),
        {**RECORD, "messages": orjson.dumps(RECORD["messages"]).decode()},
        {**RECORD, "__deleted": "false", "__op": "r"},
        {"_id": {"_data": "82"}, "operationType": "insert", "fullDocument": RECORD, "ns": {"db": "chat"}},
        event(data=RECORD),
        event(data=TEXT),
        event(data_base64=b64encode(TEXT.encode()).decode()),
        event(data_base64=b64encode(gzip.compress(TEXT.encode())).decode()),
        event(data=connect(debezium(TEXT))),
        [event(data=RECORD)],
    ],
)
@pytest.mark.parametrize("encode", [bytes, gzip.compress, FRAME.__add__, b"\xef\xbb\xbf".__add__])
def test_a_record_comes_out_of_its_wrapping(wrapped: JSON, encode: Any) -> None:
    assert unwrapped(encode(orjson.dumps(wrapped))) == (RECORD,)


@pytest.mark.parametrize(
    "value",
    [
        gzip.compress(FRAME + TEXT.encode()),
        FRAME + gzip.compress(TEXT.encode()),
        gzip.compress(gzip.compress(TEXT.encode())),
        FRAME + b"\xef\xbb\xbf" + TEXT.encode(),
        FRAME + b" \n" + TEXT.encode(),
        orjson.dumps(RECORD, option=orjson.OPT_INDENT_2),
    ],
)
def test_layers_of_bytes_may_be_combined(value: bytes) -> None:
    assert unwrapped(value) == (RECORD,)


def test_columns_beside_the_one_with_the_record_fill_in_what_it_lacks() -> None:
    body: dict[str, JSON] = {"messages": RECORD["messages"], "user_id": "u-1"}
    row: dict[str, JSON] = {
        "id": 9,
        "conversation_id": "c-1",
        "user_id": None,
        "tenant": "acme",
        "body": orjson.dumps(body).decode(),
    }

    assert unwrapped(orjson.dumps(debezium(row))) == ({"conversation_id": "c-1", "tenant": "acme", **body},)


def test_a_row_with_an_id_of_mongodb_is_a_record_by_itself() -> None:
    row: dict[str, JSON] = {"_id": {"$oid": "65f"}, "conversation_id": "c-1", "feedback": {"thumb": "up"}}

    assert unwrapped(orjson.dumps(debezium(row))) == (row,)


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\n\n"])
def test_records_of_one_value_are_all_read(separator: bytes) -> None:
    assert unwrapped(orjson.dumps([RECORD, TEXT, connect(RECORD)])) == (RECORD,) * 3
    assert unwrapped(separator.join([TEXT.encode()] * 3)) == (RECORD,) * 3


@pytest.mark.parametrize(
    "value",
    [
        debezium(None, "d"),
        {"before": RECORD, "after": None, "op": "d"},
        {"op": "t", "before": None},
        connect(None),
        connect(debezium(None, "d")),
        {**RECORD, "__deleted": "true"},
        {"operationType": "delete", "documentKey": {"_id": 1}},
        event(),
        event(data=None),
        [debezium(None, "d")],
    ],
)
def test_what_reports_a_deletion_holds_nothing(value: JSON) -> None:
    assert unwrapped(orjson.dumps(value)) == ()


def test_an_event_in_headers_has_its_data_as_the_value() -> None:
    headers = [("ce_specversion", b"1.0"), ("ce_type", b"chat.ended"), ("ce_id", b"e-1"), ("trace", b"\xff")]

    assert unwrapped(TEXT.encode(), headers) == (RECORD,)
    assert unwrapped(orjson.dumps(connect(TEXT)), headers) == (RECORD,)


@pytest.mark.parametrize("field", ["data", "data_base64", "headers"])
def test_an_event_of_kserve_keeps_its_attributes(field: str) -> None:
    attributes = {"specversion": "1.0", "id": "e-1", "type": "org.kubeflow.serving.inference.request"}
    body: dict[str, JSON] = {"model": "m", "messages": RECORD["messages"]}
    text = orjson.dumps(body)
    if field == "headers":
        found = unwrapped(text, [(f"ce_{name}", value.encode()) for name, value in attributes.items()])
    else:
        data: JSON = body if field == "data" else b64encode(text).decode()
        found = unwrapped(orjson.dumps({**attributes, field: data}))

    assert found == ({**attributes, "data": body},)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"a\ud83d", "a\ufffd"),
        (r"\uDE00b", "\ufffdb"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\ud83d\\ude00 \ud800", "\ufffd\\ude00 \ufffd"),
        (r"\\ud83d\ud83d", "\\ud83d\ufffd"),
        (r"\ud83d\ude00", "😀"),
    ],
)
def test_a_surrogate_without_its_pair_is_replaced(written: str, read: str) -> None:
    assert unwrapped(f'{{"a": "{written}"}}'.encode()) == ({"a": read},)


@pytest.mark.parametrize(
    ("value", "reason", "words"),
    [
        (b"", Reason.EMPTY, "no value"),
        (b"\0", Reason.NOT_JSON, "zero byte"),
        (FRAME, Reason.NOT_JSON, "zero byte"),
        (FRAME + b"\x04c9", Reason.UNSUPPORTED, "Avro or Protobuf with schema 42"),
        (FRAME + b'"\x00', Reason.UNSUPPORTED, "retuned[avro]"),
        (FRAME + b'{"a": ', Reason.NOT_JSON, "not JSON"),
        (b"\x1f\x8b\x08broken", Reason.NOT_JSON, "gzip"),
        (gzip.compress(b"{}", mtime=0)[:-4], Reason.NOT_JSON, "gzip"),
        (b"\xff\xfe{\0}\0", Reason.NOT_JSON, "not UTF-8 (byte 0)"),
        (b'{"a": "\xed\xa0\xbd"}', Reason.NOT_JSON, "not UTF-8 (byte 7)"),
        (b'{"a": NaN}', Reason.NOT_JSON, "not JSON"),
        (b'{"a": 1}\n{"a": }', Reason.NOT_JSON, "not JSON"),
        (b"12", Reason.UNKNOWN_SHAPE, "not a number"),
        (b'"hello"', Reason.UNKNOWN_SHAPE, "not a string"),
        (b"[]", Reason.UNKNOWN_SHAPE, "empty list"),
        (orjson.dumps([1]), Reason.UNKNOWN_SHAPE, "[0]: must be an object"),
        (orjson.dumps(connect(3)), Reason.UNKNOWN_SHAPE, "payload: must be an object"),
        (orjson.dumps(debezium(None, "c")), Reason.MISSING_FIELD, "after: is null"),
        (orjson.dumps(event(data="hello")), Reason.UNKNOWN_SHAPE, "data: must be an object"),
        (orjson.dumps(event(data_base64="?")), Reason.BAD_FIELD, "data_base64: is not base64"),
        (orjson.dumps([{}] * 1_001), Reason.OVER_LIMIT, "list of 1001 records"),
    ],
)  # fmt: skip
def test_what_can_not_be_unwrapped_is_refused_by_name(value: bytes, reason: Reason, words: str) -> None:
    refused = refusal(value)

    assert refused.reason is reason
    assert words in str(refused)


def test_what_gzip_makes_is_within_the_limit_for_a_record() -> None:
    assert refusal(gzip.compress(b" " * 10_000_000), record_bytes=100_000).reason is Reason.TOO_LARGE


def test_many_small_bombs_share_one_limit() -> None:
    bomb = b64encode(gzip.compress(b" " * 60_000 + b"{}")).decode()
    value = orjson.dumps([event(data_base64=bomb)] * 20)

    assert refusal(value, record_bytes=100_000).reason is Reason.TOO_LARGE


def test_layers_are_counted() -> None:
    value: JSON = {}
    for _ in range(20):
        value = connect(value)

    assert "more than 12 layers" in str(refusal(orjson.dumps(value)))


wrappings = st.recursive(
    st.sampled_from([RECORD, TEXT, {}, None, 3, "[", "{"]),
    lambda inner: (
        inner.map(connect)
        | inner.map(debezium)
        | inner.map(lambda data: event(data=data))
        | st.lists(inner, max_size=2)
        | inner.map(lambda data: orjson.dumps(data).decode())
        | inner.map(lambda data: event(data_base64=b64encode(gzip.compress(orjson.dumps(data))).decode()))
    ),
    max_leaves=4,
)


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=80)
    | values.map(lambda value: value or b"")
    | wrappings.map(orjson.dumps)
    | wrappings.map(lambda value: gzip.compress(FRAME + orjson.dumps(value))),
    st.sampled_from([b"", FRAME, b"\x1f\x8b", b"\xef\xbb\xbf"]),
)
def test_nothing_but_bad_records_is_raised(value: bytes, before: bytes) -> None:
    with contextlib.suppress(BadRecord):
        found = unwrap(before + value, limits=LIMITS)
        assert all(isinstance(document, dict) for document in found)
