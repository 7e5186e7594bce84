"""Unwraps the value of a Kafka record: from its bytes to the documents in it, which decoding reads."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import orjson

from daemon.config.settings import LimitsSection
from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON
from daemon.intake.decoding_fields import Object, kind
from daemon.intake.json_text import read_json
from daemon.intake.wrappers import (
    Nothing,
    cloud_event_data,
    event_of_headers,
    is_bare,
    row_as_record,
    unwrapped_layer,
    with_parsed_texts,
)

_GZIP = b"\x1f\x8b\x08"  # with the one method that there is
#: Confluent's framing: a zero byte and the schema's id, in four bytes.
_FRAME, _FRAME_BYTES = b"\0", 5
_MOST_LAYERS = 12
_MOST_DOCUMENTS = 1_000
#: KServe's logger sends a request and its response as two events, told apart by attributes that decoding needs.
_KSERVE_TYPES = "org.kubeflow.serving.inference."


class Schemas(Protocol):
    """Reads values that carry the id of their schema and are not JSON."""

    def read(self, payload: bytes, schema_id: int) -> JSON:
        """Return the value as JSON. Raises BadRecord, and StreamError while a schema can't be had."""
        ...


def unwrap(
    value: bytes,
    *,
    limits: LimitsSection,
    headers: Sequence[tuple[str, bytes]] = (),
    schemas: Schemas | None = None,
) -> tuple[Object, ...]:
    """Return the documents of a record: usually one, several for a list of them, none if it reports a deletion.

    Unwrapped in any order: gzip, the framing of a schema registry, JSON within a text, lists, Kafka Connect's payload,
    changes as Debezium and MongoDB report them, and CloudEvents, of which those of KServe keep their attributes around
    ``data``. Neither the value nor all that gzip makes of it may exceed ``limits.record_bytes``. Raises BadRecord, and
    StreamError while ``schemas`` can't be had.
    """
    if not value:
        raise BadRecord(Reason.EMPTY, "", "has no value")
    if len(value) > limits.record_bytes:
        raise BadRecord(Reason.TOO_LARGE, "", f"has {len(value)} bytes; allowed are {limits.record_bytes}")
    event = event_of_headers(headers) if headers else None
    if event is None and (plain := _plain(value)) is not None:
        return (plain,)
    unwrapping = _Unwrapping(limits, schemas)
    if event is not None and _is_kserve(event):
        return tuple(unwrapping.with_data(event, value, "", 0))
    return tuple(unwrapping.documents(value, "", 0))


def _plain(value: bytes) -> Object | None:
    """Return a record without any layer, as nearly all are: a shortcut."""
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict) or not is_bare(record):
        return None
    is_pair = isinstance(record.get("request"), dict) and isinstance(record.get("response"), dict)
    return with_parsed_texts(record) if is_pair or isinstance(record.get("messages"), list) else None


class _Unwrapping:
    """The unwrapping of one record, within its bounds."""

    def __init__(self, limits: LimitsSection, schemas: Schemas | None) -> None:
        self._room = limits.record_bytes  # bytes that gzip may still make
        self._schemas = schemas

    def documents(
        self, value: "JSON | bytes | Nothing", at: str, depth: int, *, is_row: bool = False
    ) -> Iterator[Object]:
        """Yield the documents of a value that lies under ``depth`` layers. Raises BadRecord."""
        if depth > _MOST_LAYERS:
            raise BadRecord(Reason.UNKNOWN_SHAPE, at, f"is wrapped in more than {_MOST_LAYERS} layers")
        if isinstance(value, bytes):
            yield from self.documents(self._parsed(value, at), at, depth + 1, is_row=is_row)
        elif isinstance(value, Mapping):
            yield from self._of_object(value, at, depth, is_row=is_row)
        elif isinstance(value, str):
            yield from self.documents(_parsed_text(value, at), at, depth + 1, is_row=is_row)
        elif isinstance(value, Sequence):
            yield from self._of_list(value, at, depth, is_row=is_row)
        elif not isinstance(value, Nothing):
            raise BadRecord(Reason.UNKNOWN_SHAPE, at, f"must be an object, not {kind(value)}")

    def with_data(
        self, event: Object, data: "JSON | bytes | Nothing", at: str, depth: int
    ) -> Iterator[Object]:
        """Yield an event with its data unwrapped in place. Raises BadRecord."""
        attributes = {name: value for name, value in event.items() if name != "data_base64"}
        for document in self.documents(data, at, depth + 1):
            yield {**attributes, "data": document}

    def _of_object(self, value: Object, at: str, depth: int, *, is_row: bool) -> Iterator[Object]:
        if "specversion" in value and _is_kserve(value):
            yield from self.with_data(value, *cloud_event_data(value), depth)
            return
        layer = unwrapped_layer(value)
        if layer is not None:
            inner = f"{at}.{layer.at}" if at and layer.at else at or layer.at
            yield from self.documents(layer.value, inner, depth + 1, is_row=layer.is_row)
        elif is_row:
            yield from self.documents(row_as_record(value), at, depth + 1)
        else:
            yield with_parsed_texts(value)

    def _of_list(self, values: Sequence[JSON], at: str, depth: int, *, is_row: bool) -> Iterator[Object]:
        if not values:
            raise BadRecord(Reason.UNKNOWN_SHAPE, at, "is an empty list")
        if len(values) > _MOST_DOCUMENTS:
            raise BadRecord(
                Reason.OVER_LIMIT, at, f"is a list of {len(values)} records; allowed are {_MOST_DOCUMENTS}"
            )
        for index, value in enumerate(values):
            yield from self.documents(value, f"{at}[{index}]", depth + 1, is_row=is_row)

    def _parsed(self, value: bytes, at: str) -> "JSON | bytes":
        if value.startswith(_GZIP):
            return self._gunzipped(value, at)
        if value.startswith(_FRAME):
            return self._framed(value, at)
        return read_json(value, at)

    def _gunzipped(self, value: bytes, at: str) -> bytes:
        # Imported here because the package brings the Kafka client, which readers of files do not need.
        from daemon.kafka.decompression import DecompressionError, TooLarge, decompress

        try:
            found = bytes(decompress("gzip", value, self._room))
        except TooLarge:
            raise BadRecord(
                Reason.TOO_LARGE, at, "has more bytes than limits.record_bytes when gzip is undone"
            ) from None
        except DecompressionError:
            raise BadRecord(Reason.NOT_JSON, at, "is broken gzip") from None
        self._room -= len(found)
        return found

    def _framed(self, value: bytes, at: str) -> "JSON | bytes":
        payload = value[_FRAME_BYTES:]
        if not payload:
            raise BadRecord(
                Reason.NOT_JSON, at, "begins with a zero byte, and is no JSON and no framed schema"
            )
        if payload.startswith(_GZIP):
            return payload
        try:
            return read_json(payload, at)
        except BadRecord:
            if payload.lstrip().startswith(b"{"):  # no text, number or choice of Avro's begins so
                raise
        schema_id = int.from_bytes(value[1:_FRAME_BYTES])
        if self._schemas is None:
            raise BadRecord(
                Reason.UNSUPPORTED, at,
                f"is Avro or Protobuf with schema {schema_id} of a schema registry: set kafka.schema_registry.url and "
                "install the extra (`pip install 'retuned[avro]'`), or produce JSON",
            )  # fmt: skip
        found = self._schemas.read(payload, schema_id)
        return row_as_record(found) if isinstance(found, Mapping) and is_bare(found) else found


def _is_kserve(event: Object) -> bool:
    return str(event.get("type", "")).startswith(_KSERVE_TYPES)


def _parsed_text(value: str, at: str) -> JSON:
    if not value.lstrip().startswith(("{", "[", '"')):
        raise BadRecord(Reason.UNKNOWN_SHAPE, at, "must be an object, not a string")
    return read_json(value.encode(errors="replace"), at)
