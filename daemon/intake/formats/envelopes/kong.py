"""Logs of Kong's plugins http-log and kafka-log, with bodies of its own or those that the AI proxy adds."""

from collections.abc import Sequence

from daemon.domain.conversation import JSON, Record
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.envelopes.gateway import decode_http_log, is_http_log
from daemon.intake.formats.identity import object_at
from daemon.intake.formats.reading import Reading

_OWN = frozenset(
    {"latencies", "workspace", "tries", "started_at", "ai", "upstream_uri", "authenticated_entity"}
)


class KongFormat:
    """``request``, ``response``, ``latencies`` and, with the AI proxy, ``ai`` with payloads."""

    name = "kong"

    def recognises(self, record: Object) -> bool:
        """Return whether a record is an HTTP log with fields of Kong's."""
        return not _OWN.isdisjoint(record) and is_http_log(record)

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return the conversation. Raises BadRecord, NoConversation."""
        payload, at = _payload(record)
        if payload is not None:
            asked, answered = payload.get("request"), payload.get("response")
            return decode_http_log(record, asked, answered, reading, at=(f"{at}.request", f"{at}.response"))
        request, response = object_at(record, "request"), object_at(record, "response")
        asked = _first(request, record, "body", "request_body")
        answered = _first(response, record, "body", "response_body")
        return decode_http_log(record, asked, answered, reading, at=("request.body", "response.body"))


def _payload(record: Object) -> tuple[Object | None, str]:
    """Return the payload that the AI proxy logs, of whichever of its plugins, and its field."""
    ai = object_at(record, "ai")
    if isinstance(ai.get("payload"), dict):
        return object_at(ai, "payload"), "ai.payload"
    for name in ai:
        payload = object_at(object_at(ai, name), "payload")
        if payload:
            return payload, f"ai.{name}.payload"
    return None, ""


def _first(message: Object, record: Object, name: str, own: str) -> JSON:
    found = message.get(name)
    return record.get(own) if found is None else found
