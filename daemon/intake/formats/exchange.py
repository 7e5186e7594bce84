"""Composes a conversation of a request and its response, in whatever envelope they stand."""

from dataclasses import dataclass, field

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON, Conversation
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.failures import pass_over_failure
from daemon.intake.formats.calls.openai_responses import is_fragment
from daemon.intake.formats.calls.registry import read_answer, read_request
from daemon.intake.formats.dialects.turns import in_conversation
from daemon.intake.formats.identity import (
    TIME_FIELDS,
    Place,
    digest_id,
    names_someone,
    object_at,
    own_metadata,
    places_of,
    session_of,
    time_of,
    user_of,
)
from daemon.intake.formats.reading import Reading
from daemon.intake.opinions import read_feedback

#: Fields that are read wherever a request or a response has them; the others are kept as metadata.
_REQUEST_FIELDS = frozenset(
    {
        "messages",
        "model",
        "user",
        "system",
        "input",
        "instructions",
        "tools",
        "functions",
        "documents",
        "metadata",
    }
)
_RESPONSE_FIELDS = frozenset({"id", "created", "created_at", "model", "choices", "output", "content"})
#: Fields of a record that have their own place in a conversation.
_RECORD_FIELDS = frozenset({"model_line", "user_id", "session_id", "feedback", "metadata"})


@dataclass(kw_only=True, slots=True)  # not frozen: freezing takes a tenth of the time of decoding
class Exchange:
    """A request and its response within a record."""

    record: Object
    request: JSON
    response: JSON
    at_request: str = "request"
    at_response: str = "response"
    taken: frozenset[str] = frozenset({"request", "response"})  # fields of the record that hold these two
    places: tuple[Place, ...] = ()  # further objects that may name user, session and time
    lifted: tuple[Object, ...] = field(
        default=()
    )  # objects whose fields are metadata, the least important first
    id: str | None = None  # of the answer, where the envelope names it


def conversation_of(exchange: Exchange, reading: Reading) -> Conversation:
    """Return the conversation of an exchange. Raises BadRecord, NoConversation."""
    record, at_request = exchange.record, exchange.at_request
    pass_over_failure(exchange.response, exchange.at_response)
    asked = read_request(exchange.request, at_request, reading)
    answer = read_answer(exchange.response, exchange.at_response, reading)
    request = exchange.request if isinstance(exchange.request, dict) else {}
    response = exchange.response if isinstance(exchange.response, dict) else {}
    at_response = f"{exchange.at_response}."
    places = [*places_of(record), *exchange.places]
    if request is not record:
        places += places_of(request, f"{at_request}.")
    named = [place for place in (*places, (response, at_response)) if names_someone(place[0])]
    id_ = _id_of(exchange, response, at_response)
    session = session_of(named)
    if session is None and "input" in request and is_fragment(request):
        raise BadRecord(
            Reason.UNSUPPORTED, f"{at_request}.input",
            "continues another record, whose turns are not in this one; log requests with their whole input, or with the "
            "id of their session",
        )  # fmt: skip
    return Conversation(
        conversation_id=id_,
        at=time_of([(response, at_response), *places], reading, names=_TIMES),
        model_line=fields.optional_name(record, "model_line"),
        model_version=_model(response, at_response) or _model(request, f"{at_request}."),
        user_id=user_of(named) if named else None,
        session_id=session,
        messages=in_conversation((*asked.turns, *answer.turns), _at_turns(request, at_request)),
        tools=asked.tools,
        documents=asked.documents,
        feedback=read_feedback(record["feedback"], reading) if "feedback" in record else None,
        metadata=_metadata(exchange, request, response, answer.finish_reason),
    )


#: Times of an answer come before those of its record.
_TIMES = ("created", "created_at", "ts", "timestamp", *TIME_FIELDS)


def _id_of(exchange: Exchange, response: Object, at_response: str) -> str:
    """Return the answer's own id, else the record's. Raises BadRecord."""
    own = exchange.id or fields.optional_name(response, "id", at_response)
    if own is not None:
        return own
    record = exchange.record
    found = (fields.optional_name(record, name) for name in ("id", "request_id", "conversation_id"))
    own = next((id_ for id_ in found if id_), None)
    if own is None and not (isinstance(exchange.response, dict) and "choices" in response):
        return digest_id(dict(record))  # neither a text nor an answer of Ollama's has a place for an id
    return own or fields.name(response, "id", at_response)


def _model(body: Object, at: str) -> str | None:
    return fields.optional_name(body, "model", at)


def _at_turns(request: Object, at: str) -> str:
    name = "input" if "input" in request else "messages"
    return f"{at}.{name}" if at else name


def _metadata(exchange: Exchange, request: Object, response: Object, finish_reason: JSON) -> dict[str, JSON]:
    """Return what was not read, the fields of the record first: they name tenant and consent."""
    merged: dict[str, JSON] = dict(object_at(request, "metadata"))
    for lifted in exchange.lifted:
        merged |= lifted
    record, taken = exchange.record, exchange.taken
    merged |= own_metadata(record)
    for name, value in record.items():
        if name not in taken and name not in _RECORD_FIELDS and value is not None:
            merged[name] = value
    if request is not record and (rest := _without(request, _REQUEST_FIELDS)):
        merged["request"] = rest
    if response is not record and (rest := _without(response, _RESPONSE_FIELDS)):
        merged["response"] = rest
    if finish_reason:
        merged["finish_reason"] = finish_reason
    return fields.metadata(merged)


def _without(body: Object, names: frozenset[str]) -> dict[str, JSON]:
    return {name: value for name, value in body.items() if name not in names}
