"""The OpenAI chat API, as most servers and gateways speak it."""

from collections.abc import Sequence

from daemon.domain.bad_record import Absence, BadRecord, NoConversation, Reason
from daemon.domain.conversation import JSON
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.cut import cut_off
from daemon.intake.formats.calls.types import Answer, Request
from daemon.intake.formats.dialects.messages import read_answer_message, read_messages, read_system
from daemon.intake.formats.dialects.tools import tool_definitions
from daemon.intake.formats.reading import Reading


def asks(request: Object) -> bool:
    """Return whether a request has messages."""
    return "messages" in request


def read_request(request: Object, at: str, reading: Reading) -> Request:
    """Read messages, tools and documents; a ``system`` prompt beside them is Anthropic's. Raises BadRecord, NoConversation."""
    turns = read_messages(request["messages"], f"{at}messages", reading)
    if request.get("system") is not None:
        turns = read_system(request["system"], f"{at}system", reading) + turns
    tools_key = "functions" if request.get("tools") is None else "tools"
    tools, documents = request.get(tools_key), request.get("documents")
    return Request(
        turns=tuple(turns),
        tools=() if tools is None else tool_definitions(tools, f"{at}{tools_key}"),
        documents=() if documents is None else _documents(documents, f"{at}documents"),
    )


def answers(response: Object) -> bool:
    """Return whether a response has choices."""
    return "choices" in response


def read_answer(response: Object, at: str, reading: Reading) -> Answer:
    """Read the choice with index 0, else the first. Raises BadRecord, NoConversation."""
    choices = response["choices"]
    if isinstance(choices, list):
        choices = [choice for choice in choices if choice is not None]
    elif choices is not None:
        raise BadRecord(Reason.BAD_FIELD, f"{at}choices", f"must be a list, not {fields.kind(choices)}")
    if not choices:
        raise NoConversation(Absence.NO_ANSWER, f"{at}choices", "is empty")
    position = _first(choices)
    place, choice = f"{at}choices[{position}]", choices[position]
    if not isinstance(choice, dict):
        raise BadRecord(Reason.BAD_FIELD, place, f"must be an object, not {fields.kind(choice)}")
    if choice.get("error"):
        raise NoConversation(Absence.FAILED, f"{place}.error", "says that the call failed")
    message = choice.get("message")
    if message is None and isinstance(choice.get("text"), str):
        raise NoConversation(
            Absence.NOT_CHAT, f"{place}.text", "is the answer of a completion without a chat"
        )
    if message is None and "message" in choice:
        raise NoConversation(Absence.NO_ANSWER, f"{place}.message", "is null")
    if not isinstance(message, dict):
        raise BadRecord(
            Reason.BAD_FIELD, f"{place}.message", f"must be an object, not {fields.kind(message)}"
        )
    reason = choice.get("finish_reason")
    turns = read_answer_message(message, f"{place}.message", reading)
    return Answer(turns=cut_off(turns, reason), finish_reason=reason)


def _first(choices: Sequence[JSON]) -> int:
    """Return the position of the choice with the lowest index; one without an index counts as 0."""

    def index(position: int) -> float:
        choice = choices[position]
        found = choice.get("index") if isinstance(choice, dict) else None
        if isinstance(found, str) and found.isdecimal() and len(found) < _LONG_INDEX:
            return int(found)
        return found if isinstance(found, int | float) else 0

    return 0 if len(choices) == 1 else min(range(len(choices)), key=index)


_LONG_INDEX = 9


def _documents(value: JSON, at: str) -> tuple[Object, ...]:
    if not isinstance(value, list):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be a list, not {fields.kind(value)}")
    found = [{"text": document} if isinstance(document, str) else document for document in value]
    if any(not isinstance(document, dict) or fields.deeper_than(64, document) for document in found):
        raise BadRecord(Reason.BAD_FIELD, at, "must be a list of objects or texts")
    return tuple(document for document in found if isinstance(document, dict))
