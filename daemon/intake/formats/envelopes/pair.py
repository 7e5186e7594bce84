"""A request and its response side by side, of any of the chat APIs."""

from collections.abc import Sequence

from daemon.domain.conversation import JSON, Record
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.bodies import at_body, body_of
from daemon.intake.formats.calls.failures import pass_over_status
from daemon.intake.formats.exchange import Exchange, conversation_of
from daemon.intake.formats.identity import Place, admitting, named_by_headers, object_at, places_of
from daemon.intake.formats.reading import Reading

_TAKEN = frozenset({"request", "response", "messages"})
#: Of a record whose request's fields stand at its top.
_INLINE = frozenset(
    {"response", "messages", "input", "system", "tools", "functions", "documents", "model", "user"}
)


class PairFormat:
    """``request`` and ``response``; the request's fields may also stand beside the response."""

    name = "pair"

    def recognises(self, record: Object) -> bool:
        """Return whether a record has a request and a response, or an error in its place."""
        if "request" in record:
            return "response" in record or "error" in record
        return "response" in record and ("messages" in record or "input" in record)

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return the conversation. Raises BadRecord, NoConversation."""
        pass_over_status(record)
        is_inline = "request" not in record
        logged, answered = record if is_inline else record["request"], record.get("response")
        response, request = body_of(answered), logged if is_inline else body_of(logged)
        if response is not answered and isinstance(answered, dict):
            pass_over_status(answered, "response.")
        headers = _headers(record, logged)
        exchange = Exchange(
            record=record,
            request=request,
            response=response,
            at_request="" if is_inline else at_body(logged, "request"),
            at_response=at_body(answered, "response"),
            taken=_INLINE if is_inline else _TAKEN,
            places=(*_around(logged, request), *headers),
            lifted=tuple(admitting(named) for named, _ in headers),
        )
        return (conversation_of(exchange, reading),)


def _headers(record: Object, logged: JSON) -> list[Place]:
    """Return what the request's headers name, which stand in the record or in the request."""
    found: list[Place] = []
    if not _HEADERS.isdisjoint(record):
        found += [(named_by_headers(object_at(record, name)), f"{name}.") for name in sorted(_HEADERS)]
    if logged is not record and isinstance(logged, dict) and "headers" in logged:
        found.append((named_by_headers(object_at(logged, "headers")), "request.headers."))
    return found


_HEADERS = frozenset({"headers", "request_headers", "requestHeaders"})


def _around(logged: JSON, body: JSON) -> tuple[Place, ...]:
    """Return an HTTP message, which may name the user, where the body stands within it."""
    return tuple(places_of(logged, "request.")) if isinstance(logged, dict) and body is not logged else ()
