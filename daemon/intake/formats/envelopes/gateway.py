"""The logs of HTTP gateways, which have the bodies of a request and its response as texts: Kong and APISIX."""

from collections.abc import Sequence

from daemon.domain.bad_record import Absence, NoConversation
from daemon.domain.conversation import JSON, Record
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.bodies import body_of
from daemon.intake.formats.calls.failures import pass_over_status
from daemon.intake.formats.exchange import Exchange, conversation_of
from daemon.intake.formats.identity import admitting, named_by_headers, object_at, places_of
from daemon.intake.formats.reading import Reading

_OF_HTTP = frozenset({"uri", "url", "method", "headers", "querystring"})
#: Fields of a body by which it is a request of a chat.
_OF_CHATS = frozenset({"messages", "input"})


def is_http_log(record: Object) -> bool:
    """Return whether a record has an HTTP request, and not the body of one in its place."""
    request = record.get("request")
    return isinstance(request, dict) and not _OF_HTTP.isdisjoint(request) and _OF_CHATS.isdisjoint(request)


def decode_http_log(
    record: Object, request: JSON, response: JSON, reading: Reading, *, at: tuple[str, str]
) -> Sequence[Record]:
    """Return the conversation of two bodies; ``at`` are their fields. Raises BadRecord, NoConversation."""
    around = object_at(record, "response")
    pass_over_status(around, "response.")
    asked, answered = body_of(request), body_of(response)
    if not asked:
        raise NoConversation(Absence.REDACTED, at[0], "is absent: the gateway does not log bodies")
    if not isinstance(asked, dict) or _OF_CHATS.isdisjoint(asked):
        raise NoConversation(Absence.NOT_CHAT, at[0], "is no request of a chat")
    if not answered:
        raise NoConversation(Absence.REDACTED, at[1], "is absent: the gateway does not log bodies")
    http = object_at(record, "request")
    named = named_by_headers(object_at(http, "headers"))
    exchange = Exchange(
        record=_without_bodies(record),
        request=asked,
        response=answered,
        at_request=at[0],
        at_response=at[1],
        taken=frozenset({"request", "response", "ai"}),
        places=(*places_of(http, "request."), (named, "request.headers.")),
        lifted=(
            admitting(named),
            {"http": {name: value for name, value in http.items() if name not in ("body", "headers")}},
        ),
    )
    return (conversation_of(exchange, reading),)


def _without_bodies(record: Object) -> Object:
    """Return the gateway's own fields. Its id of the request is no id of an answer, and its status is HTTP's."""
    return {name: value for name, value in record.items() if name != "status"}
