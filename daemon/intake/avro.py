"""Reads Avro whose schema a registry holds. Needs the extra ``avro``."""

import io
import time
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

import orjson

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON
from daemon.kafka.schema_registry import RegisteredSchema, SchemaRegistry, UnknownSchema

_CACHED_SCHEMAS = 256
_MOST_REFERENCES = 32
#: Seconds for which an unknown id is not asked for again.
_UNKNOWN_FOR_S = 60.0

#: A parsed schema, as the library has it.
_Schema: TypeAlias = Any


class AvroSchemas:
    """Decodes values by the schemas of a registry, each of which is fetched once."""

    def __init__(self, registry: SchemaRegistry, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._clock = clock
        self._parsed: OrderedDict[int, _Schema] = OrderedDict()
        self._unusable: OrderedDict[int, tuple[float, BadRecord]] = OrderedDict()  # until when, and why

    def read(self, payload: bytes, schema_id: int) -> JSON:
        """Return the value as JSON. Raises BadRecord, and SchemaUnavailable while the registry can't be asked."""
        import fastavro

        schema = self._schema(schema_id)
        stream = io.BytesIO(payload)
        try:
            value: JSON = orjson.loads(
                orjson.dumps(fastavro.schemaless_reader(stream, schema), default=_plain)
            )
        except Exception as error:  # the library raises what the bytes lead it into
            raise BadRecord(Reason.BAD_FIELD, "", f"is no Avro of schema {schema_id}") from error
        if stream.read(1):
            raise BadRecord(Reason.BAD_FIELD, "", f"is longer than a value of schema {schema_id}")
        return value

    def _schema(self, schema_id: int) -> _Schema:
        if (known := self._parsed.get(schema_id)) is not None:
            return known
        until, why = self._unusable.get(schema_id, (0.0, None))
        if why is not None and self._clock() < until:
            raise BadRecord(why.reason, why.field, why.message)
        try:
            schema = self._fetched(schema_id)
        except BadRecord as bad:
            _remember(self._unusable, schema_id, (self._clock() + _UNKNOWN_FOR_S, bad))
            raise
        _remember(self._parsed, schema_id, schema)
        return schema

    def _fetched(self, schema_id: int) -> _Schema:
        try:
            found = self._registry.by_id(schema_id)
            if found.kind != "AVRO":
                raise BadRecord(
                    Reason.UNSUPPORTED,
                    "",
                    f"is {found.kind.title()} (schema {schema_id}): produce JSON or Avro",
                )
            return self._compiled(found, {}, [_MOST_REFERENCES])
        except UnknownSchema as unknown:
            raise BadRecord(
                Reason.UNSUPPORTED, "",
                f"has schema {schema_id}, and the registry has no {str(unknown).lstrip('/')}",
            ) from None  # fmt: skip

    def _compiled(self, schema: RegisteredSchema, named: dict[str, _Schema], room: list[int]) -> _Schema:
        """Parse a schema after those that it refers to, whose names it uses."""
        import fastavro

        for reference in schema.references:
            room[0] -= 1
            if room[0] < 0:
                raise BadRecord(
                    Reason.UNSUPPORTED, "", f"has a schema with more than {_MOST_REFERENCES} references"
                )
            self._compiled(self._registry.by_reference(reference), named, room)
        try:
            return fastavro.parse_schema(orjson.loads(schema.text), named_schemas=named)
        except Exception as error:  # the library raises what the schema leads it into
            raise BadRecord(Reason.UNSUPPORTED, "", "has a schema that is no valid Avro schema") from error


def _remember(cache: OrderedDict[int, Any], key: int, value: object) -> None:
    cache[key] = value
    while len(cache) > _CACHED_SCHEMAS:
        cache.popitem(last=False)


def _plain(value: object) -> JSON:
    """Return what JSON has for a value of Avro's: for bytes their text, else base64."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return b64encode(value).decode()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)
