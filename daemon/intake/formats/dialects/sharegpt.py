"""A turn of ShareGPT's files: ``{"from": "human", "value": "..."}``."""

from collections.abc import Iterable

import orjson

from daemon.domain.conversation import JSON, Message, Role
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.dialects import chat_message
from daemon.intake.formats.dialects.content import Content
from daemon.intake.formats.dialects.roles import role_of
from daemon.intake.formats.dialects.tools import tool_call
from daemon.intake.formats.dialects.turns import assistant_turn, is_learned
from daemon.intake.formats.reading import Reading

#: Speakers whose value is the JSON of a call, or of a list of calls.
_CALLERS = frozenset({"function_call", "tool_call"})


def writes(message: Object) -> bool:
    """Return whether a message has ShareGPT's fields."""
    return "from" in message and "value" in message and "role" not in message


def read(message: Object, at: str, reading: Reading) -> Iterable[Message]:
    """Return the turn. Raises BadRecord, NoConversation."""
    value = message["value"]
    is_call = isinstance(message["from"], str) and message["from"] in _CALLERS
    if is_call and isinstance(value, str) and (calls := _calls(value)) is not None:
        found = [tool_call(call, f"{at}.value", reading) for call in calls]
        return assistant_turn(Content(), f"{at}.value", reading, calls=found, learned=is_learned(message))
    role: Role = "assistant" if is_call else role_of(message["from"], f"{at}.from")
    return chat_message.read_turn(message, role, value, at, f"{at}.value", reading)


def _calls(value: str) -> list[JSON] | None:
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    calls = parsed if isinstance(parsed, list) else [parsed]
    return calls if calls and all(isinstance(call, dict) and "name" in call for call in calls) else None
