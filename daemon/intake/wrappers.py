"""What pipelines wrap around records: Kafka Connect, change data capture, CloudEvents. Each layer is taken off alone."""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON
from daemon.intake.decoding_fields import Object
from daemon.intake.json_text import parsed_text


class Nothing(Enum):
    """A record that says that something was deleted, and holds no conversation."""

    DELETED = "deleted"


class Content(NamedTuple):
    """What one layer held."""

    value: "JSON | bytes | Nothing"
    at: str  # its field within the layer
    is_row: bool = False  # whether it is the row of a table


#: Fields of which each layer has one at least: what lacks them all is not wrapped.
_MARKS = frozenset(
    {"payload", "op", "fullDocument", "operationType", "specversion", "__deleted", "__op", "log", "message", "Message",
     "detail"}
)  # fmt: skip
#: Where shippers of logs and message services put the record: Fluent Bit, Logstash, SNS, EventBridge.
_SHIPPED = ("payload", "log", "message", "Message", "detail")
#: Fields of which a record of its own has one; what has one is no shipper's.
_OF_RECORDS = frozenset(
    {"messages", "request", "response", "feedback", "conversations", "conversation", "input", "output", "body", "role",
     "prompt", "attributes", "choices", "conversation_id", "choice"}
)  # fmt: skip
#: Changes that concern no row: Debezium's truncations and messages, and MongoDB's of whole collections.
_NO_ROW_OPS = frozenset({"t", "m"})
_NO_DOCUMENT = frozenset(
    {"drop", "dropDatabase", "rename", "invalidate", "create", "createIndexes", "dropIndexes"}
)
_CONNECT = frozenset({"schema", "payload"})
_HELD_AS_TEXT = ("messages", "request", "response", "feedback", "metadata")
#: Columns that hold an object and are no record by themselves.
_PARTS_OF_A_RECORD = frozenset({"feedback", "metadata", "request", "response", "tags", "labels"})


def is_bare(record: Object) -> bool:
    """Return whether an object has none of the fields of a layer."""
    return _MARKS.isdisjoint(record)


def unwrapped_layer(record: Object) -> Content | None:
    """Take off one layer; return None if there is none. Raises BadRecord."""
    if is_bare(record):
        return None
    if record.keys() == _CONNECT:
        payload = record["payload"]
        return Content(Nothing.DELETED if payload is None else payload, "payload", is_row=True)
    if isinstance(record.get("op"), str) and ("after" in record or "before" in record):
        return _debezium(record)
    if "operationType" in record and ("fullDocument" in record or "documentKey" in record):
        document = record.get("fullDocument")
        return Content(Nothing.DELETED if document is None else document, "fullDocument", is_row=True)
    if "specversion" in record and isinstance(record.get("type"), str):
        return Content(*cloud_event_data(record))
    if str(record.get("op")) in _NO_ROW_OPS and "source" in record:
        return Content(Nothing.DELETED, "op")
    if str(record.get("operationType")) in _NO_DOCUMENT and "ns" in record:
        return Content(Nothing.DELETED, "operationType")
    if "__deleted" in record or "__op" in record:
        return _flattened(record)
    return _shipped(record) if _OF_RECORDS.isdisjoint(record) else None


def _shipped(record: Object) -> Content | None:
    """Take off what a shipper of logs puts around a record: an object, or the JSON text of one."""
    for name in _SHIPPED:
        held = record.get(name)
        if isinstance(held, str):
            held = parsed_text(held.strip())
        if isinstance(held, dict) and held:
            return Content(held, name)
    return None


def event_of_headers(headers: Iterable[tuple[str, bytes | None]]) -> Object | None:
    """Return the attributes of a CloudEvent whose data are the record's value; None if the headers are no event's."""
    attributes: dict[str, JSON] = {
        name.removeprefix("ce_"): (value or b"").decode(errors="replace")
        for name, value in headers
        if name.startswith("ce_")
    }
    return attributes if "specversion" in attributes else None


def cloud_event_data(event: Object) -> "tuple[JSON | bytes | Nothing, str]":
    """Return the data of an event, and the field that they stand in. Raises BadRecord."""
    if "data_base64" in event:
        encoded = event["data_base64"]
        try:
            return b64decode(encoded if isinstance(encoded, str) else "?", validate=True), "data_base64"
        except ValueError:
            raise BadRecord(Reason.BAD_FIELD, "data_base64", "is not base64") from None
    data = event.get("data")
    return Nothing.DELETED if data is None else data, "data"


def row_as_record(row: Object) -> Object:
    """Return the record that the row of a table holds: in its columns, or as JSON in one of them.

    Databases send columns of JSON as texts. The columns beside the one with the record fill in what it lacks.
    """
    columns = {name: parsed_text(value) for name, value in row.items()}
    objects = [
        name
        for name, value in columns.items()
        if isinstance(value, Mapping) and name not in _PARTS_OF_A_RECORD and not _is_extended(value)
    ]
    if len(objects) != 1 or any(isinstance(value, list) for value in columns.values()):
        return columns
    [name] = objects
    inner = columns.pop(name)
    columns.pop("id", None)  # the row's own, which names nothing in the record
    return {**columns, **inner} if isinstance(inner, Mapping) else columns


def with_parsed_texts(record: Object) -> Object:
    """Return a record whose main fields are no JSON in texts."""
    texts = [name for name in _HELD_AS_TEXT if isinstance(record.get(name), str)]
    return {**record, **{name: parsed_text(record[name]) for name in texts}} if texts else record


def _debezium(record: Object) -> Content:
    after = record.get("after")
    if after is None and record["op"] in ("c", "r", "u"):
        raise BadRecord(Reason.MISSING_FIELD, "after", "is null, though the row was not deleted")
    return Content(Nothing.DELETED if after is None else after, "after", is_row=True)


def _flattened(record: Object) -> Content:
    """Read a change whose row stands at the top, as Debezium's ExtractNewRecordState leaves it."""
    if str(record.get("__deleted")).lower() == "true" or record.get("__op") == "d":
        return Content(Nothing.DELETED, "")
    return Content(
        {name: value for name, value in record.items() if not name.startswith("__")}, "", is_row=True
    )


def _is_extended(value: Object) -> bool:
    """Return whether a value is a scalar in MongoDB's extended JSON, such as ``{"$oid": "..."}``."""
    return len(value) == 1 and next(iter(value)).startswith("$")
