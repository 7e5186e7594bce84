"""Finds the spans and events in what an OpenTelemetry collector exports, and makes conversations of them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from daemon.domain.bad_record import Absence, NoConversation
from daemon.domain.conversation import JSON, Conversation, Record
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.types import Request
from daemon.intake.formats.dialects.turns import in_conversation
from daemon.intake.formats.identity import Place, digest_id, object_at, session_of, time_of, user_of
from daemon.intake.formats.reading import Reading
from daemon.intake.json_text import parsed_text

#: How OTLP's JSON nests what it exports: the list, then the list within each of its items, and so on.
_NESTED = (
    ("resourceSpans", "scopeSpans", "spans"),
    ("resourceLogs", "scopeLogs", "logRecords"),
    ("resource_spans", "scope_spans", "spans"),
    ("resource_logs", "scope_logs", "log_records"),
)
_EXPORTS = frozenset(names[0] for names in _NESTED)
_TIMES = (
    "endTimeUnixNano", "timeUnixNano", "startTimeUnixNano", "observedTimeUnixNano", "end_time_unix_nano",
    "time_unix_nano", "start_time_unix_nano", "end_time", "start_time", "endTime", "startTime", "timestamp", "time", "ts",
)  # fmt: skip
_IDS = ("spanId", "span_id", "id", "context.span_id")


def is_export(record: Object) -> bool:
    """Return whether a record is what a collector exports: several spans or events."""
    return not _EXPORTS.isdisjoint(record)


def exported(record: Object) -> Iterator[Object]:
    """Yield the spans, the events within them, and the log records of an export; or the record itself."""
    if not is_export(record):
        yield record
        return
    for names in _NESTED:
        for span in _within([record], names):
            yield span
            yield from (
                {**event, "spanId": span.get("spanId")}
                for event in _objects(span.get("events"))
            )  # fmt: skip


def each(
    record: Object, reading: Reading, read: Callable[[Object, Reading], Sequence[Record]]
) -> Sequence[Record]:
    """Read each span or event of a record. Those without a conversation are passed over where another has one.

    Raises BadRecord, and NoConversation where none has one.
    """
    found: list[Record] = []
    none: NoConversation | None = None
    for one in exported(record):
        try:
            found += read(one, reading)
        except NoConversation as absent:
            none = none or absent
    if not found:
        raise none or NoConversation(Absence.NOT_CHAT, "", "holds no span and no event")
    return found


def conversation_of_span(
    span: Object,
    attributes: Object,
    row: Request,
    reading: Reading,
    *,
    at: str,
    taken: frozenset[str],
    own: Object,
) -> Conversation:
    """Return the conversation of a span or event; ``own`` has its ``id`` and ``model``.

    Attributes whose name, or the beginning of it, is in ``taken`` are not kept. Raises BadRecord, NoConversation.
    """
    places: list[Place] = [
        (attributes, "attributes."),
        (metadata_of(attributes), "attributes.metadata."),
        (span, ""),
    ]
    session = session_of(places)
    return Conversation(
        conversation_id=_id_of(span, own) or session or digest_id(dict(span)),
        at=time_of_span(span, reading),
        model_line=fields.optional_name(span, "model_line"),
        model_version=fields.optional_name(own, "model", "attributes."),
        user_id=user_of(places),
        session_id=session,
        messages=in_conversation(row.turns, at),
        tools=row.tools,
        metadata=_metadata(span, attributes, taken),
    )


def metadata_of(attributes: Object) -> Object:
    """Return the attribute ``metadata``, an object or its JSON text."""
    value = parsed_text(attributes.get("metadata"))
    return value if isinstance(value, dict) else {}


def time_of_span(span: Object, reading: Reading) -> datetime:
    """Return when a span ended or an event was. Raises BadRecord."""
    return time_of([(span, "")], reading, names=_TIMES)


def _id_of(span: Object, own: Object) -> str | None:
    """Return the id of the answer, else of the span."""
    answer = fields.optional_name(own, "id", "attributes.")
    if answer is not None:
        return answer
    places = (span, object_at(span, "context"))
    found = (fields.optional_name(place, name) for place in places for name in _IDS)
    return next((id_ for id_ in found if id_), None)


def _metadata(span: Object, attributes: Object, taken: frozenset[str]) -> dict[str, JSON]:
    kept: dict[str, JSON] = {**metadata_of(attributes), **object_at(span, "metadata")}
    starts = tuple(taken)
    for one in (span, attributes):
        kept |= {
            name: value
            for name, value in one.items()
            if name not in _OF_SPANS and name not in taken and not name.startswith(starts)
        }
    return fields.metadata(kept)


_OF_SPANS = frozenset({"attributes", "metadata", "events", "context", "body", "resource", "model_line"})


def _within(records: Sequence[JSON], names: Sequence[str]) -> Iterator[Object]:
    """Yield the objects at the end of nested lists."""
    if not names:
        yield from _objects(records)
        return
    for record in _objects(records):
        yield from _within(_objects(record.get(names[0])), names[1:])


def _objects(value: JSON) -> list[dict[str, JSON]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
