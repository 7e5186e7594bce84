"""Spans and events of OpenTelemetry's GenAI conventions, with messages of parts, and evaluations."""

from collections.abc import Sequence

from daemon.domain.bad_record import Absence, NoConversation
from daemon.domain.conversation import JSON, FeedbackRecord, Message, Record
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.attributes import attributes_of, nested
from daemon.intake.formats.calls.bare import read_bare_answer
from daemon.intake.formats.calls.types import Request
from daemon.intake.formats.dialects.messages import read_messages, read_system
from daemon.intake.formats.dialects.tools import tool_definitions
from daemon.intake.formats.reading import Reading
from daemon.intake.formats.spans import conversation_of_span, each, exported, is_export, time_of_span
from daemon.intake.json_text import parsed_text
from daemon.intake.opinions import read_score

_INPUT, _OUTPUT = "gen_ai.input.messages", "gen_ai.output.messages"
_SYSTEM, _TOOLS = "gen_ai.system_instructions", "gen_ai.tool.definitions"
_EVALUATION = "gen_ai.evaluation.result"
_MARK = "gen_ai."
_TAKEN = frozenset(
    {_INPUT, _OUTPUT, _SYSTEM, _TOOLS, "gen_ai.prompt.", "gen_ai.completion.", "gen_ai.conversation.id", "metadata"}
)  # fmt: skip


class OtelFormat:
    """A span or event with attributes ``gen_ai.*``, alone or in what a collector exports."""

    name = "otel"

    def recognises(self, record: Object) -> bool:
        """Return whether a record has attributes of these conventions."""
        if is_export(record):
            return any(_is_genai(span) for span in exported(record))
        return _is_genai(record)

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return a conversation, or feedback, of each span and event. Raises BadRecord, NoConversation."""
        return each(record, reading, _read)


def _is_genai(span: Object) -> bool:
    if str(span.get("name", "")).startswith(_MARK) or str(span.get("eventName", "")).startswith(_MARK):
        return True
    if "attributes" not in span:
        return _INPUT in span or _OUTPUT in span
    return any(name.startswith(_MARK) for name in attributes_of(span)) or "gen_ai" in attributes_of(span)


def _read(span: Object, reading: Reading) -> Sequence[Record]:
    attributes = _all_attributes(span)
    names = (span.get("name"), span.get("eventName"), attributes.get("event.name"))
    if _EVALUATION in names:
        return (_evaluation(span, attributes, reading),)
    asked, answered = (
        _messages(attributes, _INPUT, "gen_ai.prompt"),
        _messages(attributes, _OUTPUT, "gen_ai.completion"),
    )
    if asked is None and answered is None:
        _refuse_without_messages(attributes)
    if attributes.get("error.type"):
        raise NoConversation(Absence.FAILED, "attributes.error.type", "says that the call failed")
    turns = _system(attributes, reading)
    if asked is not None:
        turns += read_messages(asked, f"attributes.{_INPUT}", reading)
    if answered is not None:
        turns += read_bare_answer(_first_candidate(answered), f"attributes.{_OUTPUT}", reading).turns
    tools = tool_definitions(parsed_text(attributes.get(_TOOLS)), f"attributes.{_TOOLS}")
    own = {
        "id": attributes.get("gen_ai.response.id"),
        "model": attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model"),
    }
    row = Request(turns=tuple(turns), tools=tools)
    return (
        conversation_of_span(
            span, attributes, row, reading, at=f"attributes.{_INPUT}", taken=_TAKEN, own=own
        ),
    )


def _first_candidate(answered: JSON) -> JSON:
    """Return the first answer where each message of the output is one of several, as their finish reasons tell."""
    if (
        isinstance(answered, list)
        and len(answered) > 1
        and all(isinstance(one, dict) and one.get("finish_reason") for one in answered)
    ):
        return answered[:1]
    return answered


def _all_attributes(span: Object) -> dict[str, JSON]:
    """Return the attributes of a span; of a log record those in its body too."""
    attributes = attributes_of(span)
    body = span.get("body")
    if isinstance(body, dict):
        inner = attributes_of(
            {"attributes": body.get("kvlistValue", {}).get("values")}
            if _is_otlp(body)
            else {"attributes": body}
        )
        attributes = {**inner, **attributes}
    return attributes


def _is_otlp(body: Object) -> bool:
    return isinstance(body.get("kvlistValue"), dict)


def _messages(attributes: Object, name: str, flat: str) -> JSON:
    """Return messages: a list, its JSON text, or one attribute a field, as OpenLLMetry has them."""
    value = attributes.get(name)
    if value is None:
        value = nested(attributes, name)
    return nested(attributes, flat) if value is None else parsed_text(value)


def _system(attributes: Object, reading: Reading) -> list[Message]:
    value = parsed_text(attributes.get(_SYSTEM))
    return [] if value is None else read_system(value, f"attributes.{_SYSTEM}", reading)


def _refuse_without_messages(attributes: Object) -> None:
    operation = attributes.get("gen_ai.operation.name")
    if operation in (None, "chat", "generate_content"):
        raise NoConversation(
            Absence.REDACTED, f"attributes.{_INPUT}", "is absent: the texts are not captured"
        )
    raise NoConversation(Absence.NOT_CHAT, "attributes.gen_ai.operation.name", "is no chat")


def _evaluation(span: Object, attributes: Object, reading: Reading) -> FeedbackRecord:
    value, label = (
        attributes.get("gen_ai.evaluation.score.value"),
        attributes.get("gen_ai.evaluation.score.label"),
    )
    names = ("gen_ai.response.id", "gen_ai.conversation.id")
    key = next((name for name in names if attributes.get(name)), names[0])
    opinion = read_score(attributes.get("gen_ai.evaluation.name"), label if value is None else value, reading)
    if opinion is None:
        raise NoConversation(
            Absence.UNUSABLE_FEEDBACK,
            "attributes.gen_ai.evaluation.score.value",
            "is no opinion that can be read",
        )
    return FeedbackRecord(
        conversation_id=fields.name(attributes, key, "attributes."),
        at=time_of_span(span, reading),
        feedback=opinion,
        metadata=fields.metadata(
            {name: inner for name, inner in attributes.items() if not name.startswith(_MARK)}
        ),
    )
