"""The Anthropic Messages API: the system prompt stands beside the messages, an answer is a message itself."""

from dataclasses import replace

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls import openai_chat
from daemon.intake.formats.calls.cut import cut_off
from daemon.intake.formats.calls.types import Answer, Request
from daemon.intake.formats.dialects import anthropic
from daemon.intake.formats.reading import Reading


def asks(request: Object) -> bool:
    """Return whether a request has messages and a system prompt or the version of this API beside them."""
    return "messages" in request and ("system" in request or "anthropic_version" in request)


def read_request(request: Object, at: str, reading: Reading) -> Request:
    """Read system prompt, messages and tools. Raises BadRecord, NoConversation."""
    return openai_chat.read_request(request, at, reading)


def answers(response: Object) -> bool:
    """Return whether a response is a message of this API."""
    return "content" in response and ("stop_reason" in response or response.get("type") == "message")


def read_answer(response: Object, at: str, reading: Reading) -> Answer:
    """Read the blocks of an answer. Raises BadRecord, NoConversation."""
    content, reason = response["content"], response.get("stop_reason")
    blocks: JSON = [content] if isinstance(content, str) else content
    if not isinstance(blocks, list):
        raise BadRecord(Reason.BAD_FIELD, f"{at}content", f"must be a list, not {fields.kind(content)}")
    turns = anthropic.read({"role": "assistant", "content": blocks}, at.rstrip("."), reading)
    only = [turn if turn.role == "assistant" else replace(turn, role="assistant") for turn in turns]
    return Answer(turns=cut_off(only, reason), finish_reason=reason)
