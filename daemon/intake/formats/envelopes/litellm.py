"""LiteLLM's standard logging payload, as its callbacks and webhooks send it."""

from collections.abc import Mapping, Sequence

from daemon.domain.bad_record import Absence, NoConversation
from daemon.domain.conversation import JSON, Record
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.calls.bodies import body_of
from daemon.intake.formats.calls.failures import pass_over_status
from daemon.intake.formats.dialects.turns import is_redacted
from daemon.intake.formats.exchange import Exchange, conversation_of
from daemon.intake.formats.identity import object_at
from daemon.intake.formats.reading import Reading

_WRAPPER = "standard_logging_object"
_TAKEN = frozenset({"messages", "response", "model", "id", "end_user", _WRAPPER})
_NO_CHATS = (
    "text_completion",
    "embedding",
    "image",
    "transcription",
    "speech",
    "rerank",
    "moderation",
    "batch",
    "file",
)


class LiteLLMFormat:
    """``messages`` and ``response`` beside ``call_type``, ``status`` and ``metadata`` of the gateway."""

    name = "litellm"

    def recognises(self, record: Object) -> bool:
        """Return whether a record has the gateway's own fields."""
        return _WRAPPER in record or (
            "call_type" in record and ("messages" in record or "response" in record)
        )

    def decode(self, record: Object, reading: Reading) -> Sequence[Record]:
        """Return the conversation. Raises BadRecord, NoConversation."""
        wrapped = record.get(_WRAPPER)
        payload = {**record, **wrapped} if isinstance(wrapped, dict) else record
        if payload.get("end_user"):  # "user" of a row of the spend logs owns the key
            payload = {name: value for name, value in payload.items() if name != "user"}
        _pass_over_other_calls(payload)
        pass_over_status(payload)
        response = body_of(payload.get("response"))
        metadata = object_at(payload, "metadata")
        requester = object_at(metadata, "requester_metadata")
        parameters = object_at(payload, "model_parameters")
        request: dict[str, JSON] = {
            **{name: parameters[name] for name in _OF_REQUEST if name in parameters},
            "messages": _asked(payload),
            "model": payload.get("model_group") or payload.get("model"),
        }
        if (
            isinstance(response, dict)
            and isinstance(response.get("text"), str)
            and is_redacted(response["text"])
        ):
            raise NoConversation(
                Absence.REDACTED, "response", "is a placeholder: the gateway does not log texts"
            )
        exchange = Exchange(
            record=payload,
            request=request,
            response=response,
            at_request="",
            taken=_TAKEN,
            places=((requester, "metadata.requester_metadata."),),
            lifted=(requester,),
            id=None if isinstance(response, dict) and response.get("id") else _id(payload),
        )
        return (conversation_of(exchange, reading),)


_OF_REQUEST = ("tools", "functions", "documents", "user", "system")


def _pass_over_other_calls(payload: Object) -> None:
    kind = payload.get("call_type")
    if isinstance(kind, str) and any(name in kind for name in _NO_CHATS):
        raise NoConversation(Absence.NOT_CHAT, "call_type", "is no call of a chat")


def _asked(payload: Object) -> JSON:
    """Return the messages; rows of the spend logs may have them in the request alone. Raises NoConversation."""
    found = payload.get("messages") or body_of(payload.get("proxy_server_request"))
    if not found:
        raise NoConversation(Absence.NO_QUESTION, "messages", "is absent")
    return _messages(found)


def _messages(value: JSON) -> JSON:
    """Return the messages: of the Responses API they may be a text, and of others an object around a list."""
    if isinstance(value, str):
        parsed = body_of(value)
        return parsed if isinstance(parsed, list) else [{"role": "user", "content": value}]
    if isinstance(value, Mapping) and "messages" in value:
        return value["messages"]
    return value


def _id(payload: Object) -> str | None:
    return fields.optional_name(payload, "id")
