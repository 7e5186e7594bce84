"""Reads requests and answers, each by the API that it is of."""

from daemon.domain.bad_record import Absence, BadRecord, NoConversation, Reason
from daemon.domain.conversation import JSON
from daemon.intake import decoding_fields as fields
from daemon.intake.formats.calls import anthropic_messages, openai_chat, openai_responses
from daemon.intake.formats.calls.bare import read_bare_answer, read_bare_request
from daemon.intake.formats.calls.types import Answer, CallDialect, Request
from daemon.intake.formats.reading import Reading

#: In the order in which they are tried.
DIALECTS: tuple[CallDialect, ...] = (openai_chat, anthropic_messages, openai_responses)


def read_request(request: JSON, at: str, reading: Reading) -> Request:
    """Return what a request asks. Raises BadRecord, NoConversation."""
    if isinstance(request, dict):
        for dialect in DIALECTS:
            if dialect.asks(request):
                return dialect.read_request(request, f"{at}." if at else "", reading)
        if "prompt" in request:
            raise NoConversation(
                Absence.NOT_CHAT, f"{at}.prompt", "is the prompt of a completion without a chat"
            )
    elif request is None or isinstance(request, int | float):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be an object, not {fields.kind(request)}")
    return read_bare_request(request, at, reading)


def read_answer(response: JSON, at: str, reading: Reading) -> Answer:
    """Return what a response answers. Raises BadRecord, NoConversation."""
    if isinstance(response, dict):
        for dialect in DIALECTS:
            if dialect.answers(response):
                return dialect.read_answer(response, f"{at}." if at else "", reading)
        if "data" in response or "embedding" in response or "results" in response:
            raise NoConversation(Absence.NOT_CHAT, at, "is no answer of a chat")
    return read_bare_answer(response, at, reading)
