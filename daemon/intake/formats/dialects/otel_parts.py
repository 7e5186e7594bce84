"""A message of OpenTelemetry's GenAI conventions: ``{"role": ..., "parts": [...]}``. Gemini's contents look alike."""

from collections.abc import Iterable

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON, Message, ToolCall
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.dialects.content import read_content
from daemon.intake.formats.dialects.roles import role_of
from daemon.intake.formats.dialects.tools import json_text, tool_call
from daemon.intake.formats.dialects.turns import (
    assistant_turn,
    is_cut_off,
    is_learned,
    optional_speaker,
    plain_turn,
    tool_turn,
)
from daemon.intake.formats.reading import Reading

_RESULT, _CALL = "tool_call_response", "tool_call"


def writes(message: Object) -> bool:
    """Return whether a message consists of parts."""
    return "parts" in message


def read(message: Object, at: str, reading: Reading) -> Iterable[Message]:
    """Return the turns of a message: results of tools first, then what is said. Raises BadRecord, NoConversation."""
    role = role_of(message.get("role"), f"{at}.role")
    parts = message["parts"]
    if not isinstance(parts, list):
        raise BadRecord(Reason.BAD_FIELD, f"{at}.parts", f"must be a list, not {fields.kind(parts)}")
    calls: list[ToolCall] = []
    said: list[JSON] = []
    turns: list[Message] = []
    for index, part in enumerate(parts):
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(part, dict) and kind == _CALL:
            calls.append(tool_call(part, f"{at}.parts[{index}]", reading))
        elif isinstance(part, dict) and kind == _RESULT:
            turns += _result(part, f"{at}.parts[{index}]", reading)
        else:
            said.append(part)
    content = read_content(said, f"{at}.parts", reading)
    name = optional_speaker(message, at)
    if role == "assistant":
        turns += assistant_turn(
            content, f"{at}.parts", reading, calls=calls, name=name, learned=is_learned(message),
            cut_off=is_cut_off(message.get("finish_reason")),
        )  # fmt: skip
    elif role == "tool" and content.text():
        turns += tool_turn(content.text(), f"{at}.parts", reading, call_id=None, name=name)
    elif role != "tool":
        turns += plain_turn(role, content.text(), f"{at}.parts", reading, name=name)
    return turns


def _result(part: Object, at: str, reading: Reading) -> list[Message]:
    value = next((part[name] for name in ("response", "result", "content") if part.get(name) is not None), "")
    text = value if isinstance(value, str) else json_text(value, f"{at}.response")
    call_id = fields.optional_name(part, "id", f"{at}.") if part.get("id") else None
    return tool_turn(text, f"{at}.response", reading, call_id=call_id)
