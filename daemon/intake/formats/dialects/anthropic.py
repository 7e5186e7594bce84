"""The Anthropic Messages API: results of tools stand in the user's turns, arguments of calls are objects."""

from collections.abc import Iterable

from daemon.domain.conversation import JSON, Message, ToolCall
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.dialects.content import read_content
from daemon.intake.formats.dialects.roles import role_of
from daemon.intake.formats.dialects.tools import tool_call
from daemon.intake.formats.dialects.turns import assistant_turn, is_cut_off, is_learned, plain_turn, tool_turn
from daemon.intake.formats.reading import Reading

_BLOCKS = frozenset({"tool_use", "tool_result", "server_tool_use", "mcp_tool_use", "redacted_thinking"})


def writes(message: Object) -> bool:
    """Return whether a message has blocks that only this API has."""
    content = message.get("content")
    return isinstance(content, list) and any(
        isinstance(block, dict) and _is_own(block.get("type")) for block in content
    )


def read(message: Object, at: str, reading: Reading) -> Iterable[Message]:
    """Return the turns of a message, results of tools as turns of their own. Raises BadRecord, NoConversation."""
    role = role_of(message.get("role"), f"{at}.role")
    calls: list[ToolCall] = []
    said: list[JSON] = []
    turns: list[Message] = []
    blocks = message.get("content")
    for index, block in enumerate(blocks if isinstance(blocks, list) else ()):
        kind = block.get("type") if isinstance(block, dict) else None
        if isinstance(block, dict) and kind == "tool_use":
            calls.append(tool_call(block, f"{at}.content[{index}]", reading))
        elif isinstance(block, dict) and kind == "tool_result":
            turns += _result(block, f"{at}.content[{index}]", reading)
        elif not _is_own(kind):
            said.append(block)
    content = read_content(said, f"{at}.content", reading)
    if role == "assistant":
        return turns + assistant_turn(
            content, f"{at}.content", reading, separator="", calls=calls, learned=is_learned(message),
            cut_off=is_cut_off(message.get("stop_reason")),
        )  # fmt: skip
    return turns + plain_turn("user" if role == "tool" else role, content.text(), f"{at}.content", reading)


def _is_own(kind: JSON) -> bool:
    """Return whether a block is of this API alone; the results of tools that the provider runs are."""
    return isinstance(kind, str) and (kind in _BLOCKS or kind.endswith("_tool_result"))


def _result(block: Object, at: str, reading: Reading) -> list[Message]:
    text = read_content(block.get("content"), f"{at}.content", reading).text()
    call_id = fields.optional_name(block, "tool_use_id", f"{at}.") if block.get("tool_use_id") else None
    return tool_turn(text, f"{at}.content", reading, call_id=call_id)
