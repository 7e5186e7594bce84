"""A message of the OpenAI chat API, as most servers, gateways and files write it."""

from collections.abc import Iterable

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON, Message, Role, ToolCall
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.dialects.content import Content, read_content
from daemon.intake.formats.dialects.reasoning import reasoning_field
from daemon.intake.formats.dialects.roles import role_of
from daemon.intake.formats.dialects.tools import json_text, tool_call
from daemon.intake.formats.dialects.turns import (
    assistant_turn,
    is_learned,
    optional_speaker,
    plain_turn,
    tool_turn,
)
from daemon.intake.formats.reading import Reading
from daemon.intake.json_text import parsed_text


def writes(_message: Object) -> bool:
    """Return True: a message that no other dialect writes is read as one of these, and refused as one."""
    return True


def read(message: Object, at: str, reading: Reading) -> Iterable[Message]:
    """Return the turns of a message. Raises BadRecord, NoConversation."""
    message = _unframed(message)
    role = role_of(_speaker(message), f"{at}.role")
    value = message.get("content")
    if value is None and "text" in message:
        return read_turn(message, role, message["text"], at, f"{at}.text", reading)
    return read_turn(message, role, value, at, f"{at}.content", reading)


def _unframed(message: Object) -> Object:
    """Return the message that LangChain writes within a frame; any other as it is."""
    for frame in ("kwargs", "data"):
        inner = message.get(frame)
        if isinstance(inner, dict) and "content" in inner and "content" not in message:
            return {"type": message.get("type"), **inner}
    return message


def _speaker(message: Object) -> JSON:
    """Return who speaks: the role, else what other producers call it."""
    if message.get("role") is not None:
        return message["role"]
    author = message.get("author")
    found = (
        author.get("role") if isinstance(author, dict) else author,
        message.get("sender"),
        message.get("speaker"),
    )
    return next((name for name in (*found, message.get("type")) if isinstance(name, str)), None)


def read_turn(
    message: Object, role: Role, value: JSON, at: str, at_value: str, reading: Reading
) -> list[Message]:
    """Return the turns of a message whose role is known and whose content is ``value``. Raises BadRecord, NoConversation."""
    name = optional_speaker(message, at)
    if role == "tool":
        return _tool(message, value, at, at_value, reading, name=name)
    content = read_content(value, at_value, reading)
    if role != "assistant":
        return plain_turn(role, content.text(), at_value, reading, name=name)
    _add_refusal_or_transcript(message, content)
    return assistant_turn(
        content,
        at_value,
        reading,
        reasoning=reasoning_field(message),
        calls=tool_calls(message, at, reading),
        learned=is_learned(message),
        cut_off=message.get("cut_off") is True,
        name=name,
    )


def tool_calls(message: Object, at: str, reading: Reading) -> list[ToolCall]:
    """Return the calls of a message, those of the legacy ``function_call`` included. Raises BadRecord."""
    calls = parsed_text(message.get("tool_calls")) or []
    if not isinstance(calls, list):
        raise BadRecord(Reason.BAD_FIELD, f"{at}.tool_calls", f"must be a list, not {fields.kind(calls)}")
    found = [tool_call(call, f"{at}.tool_calls[{index}]", reading) for index, call in enumerate(calls)]
    if message.get("function_call"):
        found.append(tool_call(message["function_call"], f"{at}.function_call", reading))
    return found


def _tool(
    message: Object, value: JSON, at: str, at_value: str, reading: Reading, *, name: str | None
) -> list[Message]:
    is_said = value is None or isinstance(value, str | list)
    text = read_content(value, at_value, reading).text() if is_said else json_text(value, at_value)
    call_id = fields.optional_name(message, "tool_call_id", f"{at}.") if message.get("tool_call_id") else None
    return tool_turn(text, at_value, reading, call_id=call_id, name=name)


def _add_refusal_or_transcript(message: Object, content: Content) -> None:
    """Take a refusal, or the transcript of spoken words, for the text where there is none."""
    if content.text():
        return
    audio = message.get("audio")
    transcript = audio.get("transcript") if isinstance(audio, dict) else None
    content.texts.extend(text for text in (message.get("refusal"), transcript) if isinstance(text, str))
