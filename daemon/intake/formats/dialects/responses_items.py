"""An item of the OpenAI Responses API: a message, a call of a function, its output, or reasoning."""

from collections.abc import Iterable

from daemon.domain.conversation import Message
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.dialects.content import Content, read_content
from daemon.intake.formats.dialects.roles import role_of
from daemon.intake.formats.dialects.tools import json_text, tool_call
from daemon.intake.formats.dialects.turns import assistant_turn, is_cut_off, is_learned, plain_turn, tool_turn
from daemon.intake.formats.reading import Reading

_CALLS = frozenset({"function_call", "custom_tool_call", "mcp_call"})
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
#: What the provider does by itself, as the model that is tuned has no such tools; and items of another record.
_OF_PROVIDER = frozenset(
    {"web_search_call", "file_search_call", "code_interpreter_call", "computer_call", "computer_call_output",
     "image_generation_call", "local_shell_call", "local_shell_call_output", "mcp_list_tools", "mcp_approval_request",
     "mcp_approval_response", "compaction", "item_reference"}
)  # fmt: skip
_TYPES = _CALLS | _OUTPUTS | _OF_PROVIDER | {"message", "reasoning"}


def writes(message: Object) -> bool:
    """Return whether an item has a type of this API."""
    kind = message.get("type")
    return isinstance(kind, str) and kind in _TYPES


def read(message: Object, at: str, reading: Reading) -> Iterable[Message]:
    """Return the turns of an item. Raises BadRecord, NoConversation."""
    kind = message["type"]
    if kind == "message":
        return _message(message, at, reading)
    if kind in _CALLS:
        return _call(message, at, reading)
    if kind in _OUTPUTS:
        return _output(message, "output", at, reading)
    if kind == "reasoning":
        return _reasoning(message, at, reading)
    return ()


def _message(message: Object, at: str, reading: Reading) -> list[Message]:
    role = role_of(message.get("role"), f"{at}.role")
    content = read_content(message.get("content"), f"{at}.content", reading)
    if role != "assistant":
        return plain_turn(role, content.text(), f"{at}.content", reading)
    return assistant_turn(
        content, f"{at}.content", reading, separator="", learned=is_learned(message),
        cut_off=is_cut_off(message.get("status")),
    )  # fmt: skip


def _call(message: Object, at: str, reading: Reading) -> list[Message]:
    turns = assistant_turn(
        Content(), at, reading, calls=[tool_call(message, at, reading)],
        cut_off=is_cut_off(message.get("status")),
    )  # fmt: skip
    if message.get("type") == "mcp_call" and message.get("output") is not None:
        turns += _output(message, "output", at, reading)
    return turns


def _output(message: Object, key: str, at: str, reading: Reading) -> list[Message]:
    value = message.get(key)
    is_said = value is None or isinstance(value, str | list)
    text = read_content(value, f"{at}.{key}", reading).text() if is_said else json_text(value, f"{at}.{key}")
    id_key = "call_id" if message.get("call_id") else "id"
    call_id = fields.optional_name(message, id_key, f"{at}.") if message.get(id_key) else None
    return tool_turn(text, f"{at}.{key}", reading, call_id=call_id)


def _reasoning(message: Object, at: str, reading: Reading) -> list[Message]:
    """Read the reasoning itself, else its summary."""
    for key in ("content", "summary"):
        text = read_content(message.get(key), f"{at}.{key}", reading).text()
        if text:
            return assistant_turn(Content(), f"{at}.{key}", reading, reasoning=text)
    return []
