"""The OpenAI Responses API: a prompt of items, and an answer of items."""

from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.cut import cut_off
from daemon.intake.formats.calls.types import Answer, Request
from daemon.intake.formats.dialects.messages import read_messages, read_system
from daemon.intake.formats.dialects.tools import tool_definitions
from daemon.intake.formats.dialects.turns import plain_turn
from daemon.intake.formats.reading import Reading


def asks(request: Object) -> bool:
    """Return whether a request has an input."""
    return "input" in request


def read_request(request: Object, at: str, reading: Reading) -> Request:
    """Read instructions, input and tools. Raises BadRecord, NoConversation."""
    turns = []
    if request.get("instructions") is not None:
        turns += read_system(request["instructions"], f"{at}instructions", reading)
    asked = request["input"]
    if isinstance(asked, str):
        turns += plain_turn("user", asked, f"{at}input", reading)
    else:
        turns += read_messages(asked, f"{at}input", reading)
    return Request(turns=tuple(turns), tools=tool_definitions(request.get("tools"), f"{at}tools"))


def is_fragment(request: Object) -> bool:
    """Return whether a request continues another record, whose turns it does not repeat."""
    asked = request.get("input")
    return bool(request.get("previous_response_id")) or (
        isinstance(asked, list)
        and any(isinstance(item, dict) and item.get("type") == "item_reference" for item in asked)
    )


def answers(response: Object) -> bool:
    """Return whether a response has items as its output."""
    return response.get("object") == "response" or isinstance(response.get("output"), list)


def read_answer(response: Object, at: str, reading: Reading) -> Answer:
    """Read the items of an answer; a status of incomplete means that it was cut off. Raises BadRecord, NoConversation."""
    output = response.get("output")
    turns = read_messages([] if output is None else output, f"{at}output", reading)
    status = response.get("status")
    return Answer(turns=cut_off(turns, status), finish_reason=status)
