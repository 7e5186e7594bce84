"""Answers without the frame of an API: a text, a message, or a list of messages."""

from collections.abc import Mapping

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON
from daemon.intake import decoding_fields as fields
from daemon.intake.formats.calls.cut import cut_off
from daemon.intake.formats.calls.types import Answer, Request
from daemon.intake.formats.dialects.content import Content
from daemon.intake.formats.dialects.messages import read_message, read_messages
from daemon.intake.formats.dialects.turns import assistant_turn, plain_turn
from daemon.intake.formats.reading import Reading

_REASONS = ("finish_reason", "stop_reason", "done_reason")


def read_bare_request(request: JSON, at: str, reading: Reading) -> Request:
    """Read a text or a list of messages. Raises BadRecord, NoConversation."""
    if isinstance(request, str):
        return Request(turns=tuple(plain_turn("user", request, at, reading)))
    if isinstance(request, dict):
        for key in ("message", "text", "content"):
            if isinstance(request.get(key), str):
                return Request(turns=tuple(plain_turn("user", str(request[key]), f"{at}.{key}", reading)))
        raise BadRecord(Reason.MISSING_FIELD, f"{at}.messages", "is required")
    return Request(turns=tuple(read_messages(request, at, reading)))


def read_bare_answer(answer: JSON, at: str, reading: Reading) -> Answer:
    """Read a text, a message, an object around one of these, or a list of messages. Raises BadRecord, NoConversation."""
    if isinstance(answer, str):
        content = Content(texts=[answer])
        return Answer(turns=tuple(assistant_turn(content, at, reading)))
    if isinstance(answer, dict):
        return _of_object(answer, at, reading)
    if isinstance(answer, list):
        return Answer(turns=tuple(read_messages([_answering(one) for one in answer], at, reading)))
    raise BadRecord(Reason.BAD_FIELD, at, f"must be an object or a text, not {fields.kind(answer)}")


def _of_object(answer: Mapping[str, JSON], at: str, reading: Reading) -> Answer:
    reason = next((answer[name] for name in _REASONS if name in answer), None)
    if not _SAYS.isdisjoint(answer):
        turns = read_message(_answering(answer), at, reading)
        return Answer(turns=cut_off(turns, reason), finish_reason=reason)
    for key in ("message", "messages", "text", "answer", "response", "generated_text"):
        inner = answer.get(key)
        if inner is not None and not (key in ("answer", "response") and isinstance(inner, dict)):
            found = read_bare_answer(inner, f"{at}.{key}", reading)
            return Answer(turns=cut_off(found.turns, reason), finish_reason=reason)
    raise BadRecord(Reason.UNKNOWN_SHAPE, at, "is no answer of a known API")


#: A message has one of these at least.
_SAYS = frozenset(
    {"content", "tool_calls", "parts", "reasoning_content", "reasoning", "refusal", "function_call"}
)


def _answering(message: JSON) -> JSON:
    """Return a message with the role that it has by being an answer."""
    if (
        isinstance(message, dict)
        and message.get("role") is None
        and "type" not in message
        and "from" not in message
    ):
        return {**message, "role": "assistant"}
    return message
