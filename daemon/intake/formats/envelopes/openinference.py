"""Spans of OpenInference, whose attributes are flat: ``llm.input_messages.0.message.role``."""

from collections.abc import Sequence

from daemon.domain.bad_record import Absence, NoConversation
from daemon.domain.conversation import JSON, Record
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.attributes import attributes_of, nested
from daemon.intake.formats.calls.types import Request
from daemon.intake.formats.dialects.messages import read_messages
from daemon.intake.formats.dialects.tools import tool_definitions
from daemon.intake.formats.reading import Reading
from daemon.intake.formats.spans import conversation_of_span, each, exported, is_export
from daemon.intake.json_text import parsed_text

_KIND = "openinference.span.kind"
_INPUT, _OUTPUT, _TOOLS = "llm.input_messages", "llm.output_messages", "llm.tools"
_TAKEN = frozenset(
    {f"{_INPUT}.", f"{_OUTPUT}.", f"{_TOOLS}.", "input.", "output.", "session.id", "user.id", "metadata"}
)


class OpenInferenceFormat:
    """A span with attributes ``llm.*``, flat or nested, alone or in what a collector exports."""

    name = "openinference"

    def recognises(self, record: Object) -> bool:
        """Return whether a record has attributes of these conventions."""
        if is_export(record):
            return any(_is_own(span) for span in exported(record))
        return _is_own(record)

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return a conversation of each span of a model. Raises BadRecord, NoConversation."""
        return each(record, reading, _read)


def _is_own(span: Object) -> bool:
    attributes = attributes_of(span)
    return (
        _KIND in attributes
        or "openinference" in attributes
        or any(name.startswith((_INPUT, _OUTPUT)) for name in attributes)
    )


def _read(span: Object, reading: Reading) -> Sequence[Record]:
    attributes = attributes_of(span)
    kind = nested(attributes, _KIND) or attributes.get(_KIND)
    if kind is not None and str(kind).upper() != "LLM":
        raise NoConversation(Absence.NOT_CHAT, f"attributes.{_KIND}", "is no call of a model")
    asked, answered = nested(attributes, _INPUT), nested(attributes, _OUTPUT)
    if asked is None and answered is None:
        raise NoConversation(
            Absence.REDACTED, f"attributes.{_INPUT}", "is absent: the texts are not captured"
        )
    status = span.get("status_code")
    if status == "ERROR":
        raise NoConversation(Absence.FAILED, "status_code", "says that the call failed")
    turns = read_messages(_unframed(parsed_text(asked)), f"attributes.{_INPUT}", reading)
    turns += read_messages(_unframed(parsed_text(answered)), f"attributes.{_OUTPUT}", reading)
    tools = tool_definitions(_schemas(nested(attributes, _TOOLS)), f"attributes.{_TOOLS}")
    own = {"model": nested(attributes, "llm.model_name")}
    row = Request(turns=tuple(turns), tools=tools)
    return (
        conversation_of_span(
            span, attributes, row, reading, at=f"attributes.{_INPUT}", taken=_TAKEN, own=own
        ),
    )


def _unframed(value: JSON) -> JSON:
    """Return messages as the chat API has them: each stands in a frame, and so do its parts and its calls."""
    if value is None:
        return []
    if not isinstance(value, list):
        return value
    return [_message(one.get("message", one)) if isinstance(one, dict) else one for one in value]


def _message(message: JSON) -> JSON:
    if not isinstance(message, dict):
        return message
    changed = dict(message)
    parts, calls = changed.pop("contents", None), changed.get("tool_calls")
    if isinstance(parts, list) and changed.get("content") is None:
        changed["content"] = [_part(_inner(part, "message_content")) for part in parts]
    if isinstance(calls, list):
        changed["tool_calls"] = [_inner(call, "tool_call") for call in calls]
    return changed


def _part(part: JSON) -> JSON:
    """Return a part of a type that the chat API has; its text may be null."""
    return {**part, "type": part.get("type") or "text"} if isinstance(part, dict) else part


def _inner(value: JSON, name: str) -> JSON:
    return value.get(name, value) if isinstance(value, dict) else value


def _schemas(value: JSON) -> JSON:
    """Return definitions of tools, each the JSON text of a schema."""
    if not isinstance(value, list):
        return None
    found = [_inner(tool, "tool") for tool in value]
    return [parsed_text(_inner(tool, "json_schema")) if isinstance(tool, dict) else tool for tool in found]
