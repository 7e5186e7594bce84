import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.cli.doctor.schema_registry import check_schema_registry
from daemon.config.settings import LimitsSection, SchemaRegistrySection
from daemon.domain.bad_record import BadRecord, Reason
from daemon.intake.avro import AvroSchemas
from daemon.intake.unwrapping import unwrap
from daemon.kafka.schema_registry import SchemaRegistry, SchemaUnavailable
from daemon.runtime.schemas import load_schemas
from tests.factories.stores import some_settings
from tests.servers.schema_registry import Registered, SchemaRegistryServer

TURN: dict[str, Any] = {
    "type": "record", "name": "Turn",
    "fields": [{"name": "role", "type": "string"}, {"name": "content", "type": "string"}],
}  # fmt: skip
CHAT: dict[str, Any] = {
    "type": "record", "name": "Chat",
    "fields": [
        {"name": "conversation_id", "type": "string"},
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "user_id", "type": ["null", "string"], "default": None},
        {"name": "messages", "type": {"type": "array", "items": TURN}},
    ],
}  # fmt: skip
WHEN = datetime(2026, 11, 20, 8, tzinfo=UTC)
RECORD = {
    "conversation_id": "c9", "ts": WHEN, "user_id": "u1",
    "messages": [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Tomorrow."}],
}  # fmt: skip
READ = {**RECORD, "ts": WHEN.isoformat()}
LIMITS = LimitsSection()


@pytest.fixture
def registered() -> Registered:
    return Registered()


@pytest.fixture
def server(registered: Registered) -> Iterator[SchemaRegistryServer]:
    with SchemaRegistryServer(registered) as running:
        yield running


@pytest.fixture
def schemas(server: SchemaRegistryServer) -> AvroSchemas:
    return AvroSchemas(SchemaRegistry(url=server.url))


def framed(record: object, schema: Any, schema_id: int = 42) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), record)
    return b"\0" + schema_id.to_bytes(4) + stream.getvalue()


def register(registered: Registered, schema: object, path: str = "/schemas/ids/42", **more: object) -> None:
    registered.schemas[path] = {"schema": json.dumps(schema), **more}


def refusal(value: bytes, schemas: AvroSchemas) -> BadRecord:
    with pytest.raises(BadRecord) as refused:
        unwrap(value, limits=LIMITS, schemas=schemas)
    return refused.value


def test_avro_is_read_by_the_schema_of_its_id(registered: Registered, schemas: AvroSchemas) -> None:
    register(registered, CHAT)

    assert unwrap(framed(RECORD, CHAT), limits=LIMITS, schemas=schemas) == (READ,)


def test_a_schema_is_fetched_once(registered: Registered, schemas: AvroSchemas) -> None:
    register(registered, CHAT)

    for _ in range(3):
        unwrap(framed(RECORD, CHAT), limits=LIMITS, schemas=schemas)

    assert registered.asked == ["/schemas/ids/42"]


def test_schemas_that_a_schema_refers_to_are_fetched_too(
    registered: Registered, schemas: AvroSchemas
) -> None:
    fields = [*CHAT["fields"][:3], {"name": "messages", "type": {"type": "array", "items": "Turn"}}]
    references = [{"name": "Turn", "subject": "chat/turn", "version": 3}]
    register(registered, {**CHAT, "fields": fields}, references=references)
    register(registered, TURN, "/subjects/chat%2Fturn/versions/3")

    assert unwrap(framed(RECORD, CHAT), limits=LIMITS, schemas=schemas) == (READ,)


def test_debezium_in_avro_is_unwrapped(registered: Registered, schemas: AvroSchemas) -> None:
    row: dict[str, Any] = {
        "type": "record", "name": "Row", "fields": [{"name": "id", "type": "int"}, {"name": "body", "type": "string"}],
    }  # fmt: skip
    change = {
        "type": "record", "name": "Change",
        "fields": [
            {"name": "before", "type": ["null", row]}, {"name": "after", "type": ["null", "Row"]},
            {"name": "op", "type": "string"},
        ],
    }  # fmt: skip
    register(registered, change)
    after = {"id": 9, "body": json.dumps(READ)}

    value = framed({"before": None, "after": after, "op": "c"}, change)
    assert unwrap(value, limits=LIMITS, schemas=schemas) == (READ,)
    gone = framed({"before": after, "after": None, "op": "d"}, change)
    assert unwrap(gone, limits=LIMITS, schemas=schemas) == ()


def test_a_row_in_avro_may_hold_the_record_as_text(registered: Registered, schemas: AvroSchemas) -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "body", "type": "string"}]}
    register(registered, schema)

    assert unwrap(framed({"body": json.dumps(READ)}, schema), limits=LIMITS, schemas=schemas) == (READ,)


def test_what_json_lacks_becomes_text(registered: Registered, schemas: AvroSchemas) -> None:
    schema = {
        "type": "record", "name": "R",
        "fields": [
            {"name": "text", "type": "bytes"}, {"name": "raw", "type": "bytes"},
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}},
            {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        ],
    }  # fmt: skip
    register(registered, schema)
    uuid = "550e8400-e29b-41d4-a716-446655440000"
    value = framed({"text": b"hi", "raw": b"\xff", "price": Decimal("1.50"), "id": uuid}, schema)

    [found] = unwrap(value, limits=LIMITS, schemas=schemas)

    assert found == {"text": "hi", "raw": "/w==", "price": "1.50", "id": uuid}


def test_what_the_schema_does_not_describe_is_refused(registered: Registered, schemas: AvroSchemas) -> None:
    register(registered, CHAT)

    for value in (b"\0\0\0\0\x2a\x02", framed(RECORD, CHAT) + b"\x02"):
        assert "schema 42" in str(refusal(value, schemas))


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"schema": 'syntax = "proto3";', "schemaType": "PROTOBUF"}, "is Protobuf"),
        ({"schema": '{"type": "object"}', "schemaType": "JSON"}, "is Json"),
        ({"schema": '{"type": "nothing"}'}, "no valid Avro schema"),
        ({"schema": "{"}, "no valid Avro schema"),
        (
            {"schema": '"Turn"', "references": [{"name": "Turn", "subject": "t", "version": 1}]},
            "subjects/t/versions/1",
        ),
    ],
)
def test_a_schema_that_can_not_be_used_is_named(
    registered: Registered, schemas: AvroSchemas, schema: dict[str, object], words: str
) -> None:
    registered.schemas["/schemas/ids/42"] = schema

    refused = refusal(b"\0\0\0\0\x2a\x02x", schemas)

    assert refused.reason is Reason.UNSUPPORTED
    assert words in str(refused)


def test_schemas_that_refer_to_each_other_end(registered: Registered, schemas: AvroSchemas) -> None:
    references = [{"name": "A", "subject": "a", "version": 1}]
    register(registered, TURN, references=references)
    register(registered, TURN, "/subjects/a/versions/1", references=references)

    assert "more than 32 references" in str(refusal(b"\0\0\0\0\x2a\x02x", schemas))


def test_an_unknown_id_is_asked_for_again_after_a_minute(
    registered: Registered, server: SchemaRegistryServer
) -> None:
    now = [0.0]
    schemas = AvroSchemas(SchemaRegistry(url=server.url), clock=lambda: now[0])

    assert "no schemas/ids/42" in str(refusal(framed(RECORD, CHAT), schemas))
    register(registered, CHAT)
    refusal(framed(RECORD, CHAT), schemas)
    now[0] = 61.0

    assert unwrap(framed(RECORD, CHAT), limits=LIMITS, schemas=schemas) == (READ,)
    assert len(registered.asked) == 2


@pytest.mark.parametrize(
    ("status", "words"), [(500, "asked again"), (401, "username"), (403, "username"), (302, "not followed")]
)
def test_a_registry_that_does_not_serve_is_waited_for(
    registered: Registered, schemas: AvroSchemas, status: int, words: str
) -> None:
    registered.status, registered.headers = status, {"Location": "http://127.0.0.1:9/other"}
    register(registered, CHAT)

    with pytest.raises(SchemaUnavailable, match=words):
        unwrap(framed(RECORD, CHAT), limits=LIMITS, schemas=schemas)
    registered.status = 200
    assert unwrap(framed(RECORD, CHAT), limits=LIMITS, schemas=schemas) == (READ,)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"schema": 3}', b'{"id": 1}', b"x" * (2 << 20)])
def test_an_answer_that_is_no_registrys_is_not_used(
    registered: Registered, schemas: AvroSchemas, body: bytes
) -> None:
    registered.body = body

    with pytest.raises(SchemaUnavailable):
        unwrap(framed(RECORD, CHAT), limits=LIMITS, schemas=schemas)


def test_a_registry_that_is_not_there_is_waited_for() -> None:
    with pytest.raises(SchemaUnavailable, match=r"check kafka\.schema_registry"):
        AvroSchemas(SchemaRegistry(url="http://127.0.0.1:9")).read(b"x", 1)


def test_the_password_is_read_for_each_request(
    registered: Registered, server: SchemaRegistryServer, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("one\n")
    section = {"url": server.url, "username": "key", "password_file": secret}
    schemas = load_schemas(some_settings(tmp_path, kafka={"schema_registry": section}))
    assert schemas is not None
    register(registered, CHAT)

    unwrap(framed(RECORD, CHAT), limits=LIMITS, schemas=schemas)
    secret.write_text("two")
    register(registered, TURN, "/schemas/ids/43")
    unwrap(framed(RECORD["messages"][0], TURN, 43), limits=LIMITS, schemas=schemas)  # type: ignore[index]

    assert registered.logins == ["key:one", "key:two"]


@pytest.mark.parametrize(("status", "ok"), [(200, True), (404, True), (401, False), (500, False)])
def test_the_doctor_says_whether_the_registry_answers(
    registered: Registered, server: SchemaRegistryServer, tmp_path: Path, status: int, ok: bool
) -> None:
    registered.status = status

    [check] = check_schema_registry(some_settings(tmp_path, kafka={"schema_registry": {"url": server.url}}))

    assert (check.subject, check.ok) == ("schema registry", ok)
    assert check.ok or check.remedy


def test_without_a_registry_there_are_no_schemas(tmp_path: Path) -> None:
    assert load_schemas(some_settings(tmp_path)) is None


@pytest.mark.parametrize(
    "section",
    [
        {"username": "u"},
        {"url": "registry:8081"},
        {"url": "https://u:p@registry"},
        {"url": "https://registry", "username": "u"},
        {"url": "http://registry", "username": "u", "password": "p"},
        {"url": "http://[1"},
    ],
)
def test_settings_that_can_not_work_are_refused(section: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"url|username"):
        SchemaRegistrySection.model_validate(section)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=60))
def test_nothing_but_bad_records_is_raised(
    registered: Registered, schemas: AvroSchemas, payload: bytes
) -> None:
    register(registered, CHAT)
    try:
        found = unwrap(b"\0\0\0\0\x2a" + payload, limits=LIMITS, schemas=schemas)
    except BadRecord:
        return
    assert all(isinstance(document, dict) for document in found)
