"""Decodes the bytes of a record into a conversation or feedback. ``schema/record.schema.json`` describes its shapes."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby, pairwise
from typing import cast

from daemon.config.settings import LimitsSection
from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON, Conversation, FeedbackRecord, Message, Record, Role
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.unwrapping import unwrap

__all__ = ["BadRecord", "Reason", "decode"]

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_TOOL_ROLES = frozenset({"tool", "function"})
_OWN_FIELDS = frozenset(
    {"conversation_id", "ts", "model_line", "model_version", "user_id", "messages", "feedback", "metadata"}
)
_REQUEST_FIELDS = frozenset({"messages", "model", "user"})
_RESPONSE_FIELDS = frozenset({"id", "created", "model", "choices"})


def decode(value: bytes | None, *, limits: LimitsSection, received_at: datetime) -> Record:
    """Read a value that holds one record. Raises BadRecord, and nothing else. See :func:`decode_document`."""
    return decode_document(_parse(value, limits), limits=limits, received_at=received_at)


def decode_document(record: Object, *, limits: LimitsSection, received_at: datetime) -> Record:
    """Read one document that :func:`daemon.intake.unwrapping.unwrap` gave. Raises BadRecord, and nothing else.

    Messages alternate between roles: system turns come first only, consecutive turns of one role are joined with a line
    break, and the first turn may be the assistant's. There is at least one user turn.
    """
    if "messages" in record:
        return _conversation(record, limits, received_at)
    if "request" in record and "response" in record:
        return _completion(record, limits, received_at)
    if "feedback" in record:
        return _late_feedback(record, limits, received_at)
    raise BadRecord(
        Reason.UNKNOWN_SHAPE, "", "is an object with neither messages, nor request and response, nor feedback"
    )


def _parse(value: bytes | None, limits: LimitsSection) -> Object:
    documents = unwrap(value or b"", limits=limits)
    if len(documents) != 1:
        found = f"holds {len(documents)} records" if documents else "reports a deletion"
        raise BadRecord(Reason.UNKNOWN_SHAPE, "", f"{found}, and must hold one")
    return documents[0]


def _conversation(record: Object, limits: LimitsSection, received_at: datetime) -> Conversation:
    extra = {key: value for key, value in record.items() if key not in _OWN_FIELDS}
    return Conversation(
        conversation_id=fields.name(record, "conversation_id"),
        at=fields.time(record, "ts", received_at),
        model_line=fields.optional_name(record, "model_line"),
        model_version=fields.optional_name(record, "model_version"),
        user_id=fields.optional_name(record, "user_id"),
        messages=_messages(record["messages"], "messages", limits),
        feedback=fields.feedback(record.get("feedback"), limits),
        metadata=fields.metadata(_own_metadata(record) | extra),
    )


def _late_feedback(record: Object, limits: LimitsSection, received_at: datetime) -> FeedbackRecord:
    given = fields.feedback(record["feedback"], limits)
    extra = {key: value for key, value in record.items() if key not in _OWN_FIELDS}
    if given is None:
        raise BadRecord(Reason.MISSING_FIELD, "feedback", "is null")
    return FeedbackRecord(
        conversation_id=fields.name(record, "conversation_id"),
        at=fields.time(record, "ts", received_at),
        feedback=given,
        user_id=fields.optional_name(record, "user_id"),
        model_line=fields.optional_name(record, "model_line"),
        metadata=fields.metadata(_own_metadata(record) | extra),
    )


def _completion(record: Object, limits: LimitsSection, received_at: datetime) -> Conversation:
    """Read one logged chat completion: the request's messages, then the first choice."""
    request, response = _object(record, "request"), _object(record, "response")
    if "messages" not in request:
        raise BadRecord(Reason.MISSING_FIELD, "request.messages", "is required")
    choices = response.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BadRecord(Reason.BAD_FIELD, "response.choices", "must be a list of at least one object")
    answer = _object(choices[0], "message", "response.choices[0].")
    if answer.get("role", "assistant") != "assistant":
        raise BadRecord(Reason.BAD_FIELD, "response.choices[0].message.role", "must be assistant")
    turns = [
        *_turns(request["messages"], "request.messages", limits),
        _message({"role": "assistant"} | answer, "response.choices[0].message", limits),
    ]
    requested = fields.optional_name(request, "model", "request.")
    answered_by = fields.optional_name(response, "model", "response.")
    extra = {
        "request": {key: value for key, value in request.items() if key not in _REQUEST_FIELDS},
        "response": {key: value for key, value in response.items() if key not in _RESPONSE_FIELDS},
        "finish_reason": choices[0].get("finish_reason"),
    }
    return Conversation(
        conversation_id=fields.name(response, "id", "response."),
        at=fields.time(response, "created", received_at, "response."),
        model_line=fields.optional_name(record, "model_line"),
        model_version=answered_by or requested,
        user_id=fields.optional_name(request, "user", "request."),
        messages=_in_alternation(turns, "request.messages"),
        feedback=fields.feedback(record.get("feedback"), limits),
        metadata=fields.metadata(
            _own_metadata(record) | {key: value for key, value in extra.items() if value}
        ),
    )


def _own_metadata(record: Object) -> dict[str, JSON]:
    given = record.get("metadata")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise BadRecord(Reason.BAD_FIELD, "metadata", f"must be an object, not {fields.kind(given)}")
    return given


def _object(record: Object, key: str, at: str = "") -> dict[str, JSON]:
    value = record.get(key)
    if not isinstance(value, dict):
        raise BadRecord(Reason.BAD_FIELD, at + key, f"must be an object, not {fields.kind(value)}")
    return value


def _messages(value: JSON, at: str, limits: LimitsSection) -> tuple[Message, ...]:
    return _in_alternation(_turns(value, at, limits), at)


def _turns(value: JSON, at: str, limits: LimitsSection) -> list[Message]:
    if not isinstance(value, list):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be a list, not {fields.kind(value)}")
    if len(value) > limits.messages:
        raise BadRecord(Reason.OVER_LIMIT, at, f"has {len(value)} messages; allowed are {limits.messages}")
    return [_message(message, f"{at}[{index}]", limits) for index, message in enumerate(value)]


def _message(value: JSON, at: str, limits: LimitsSection) -> Message:
    if not isinstance(value, dict):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be an object, not {fields.kind(value)}")
    role, content = value.get("role"), value.get("content")
    if len(value) == 2 and isinstance(role, str) and isinstance(content, str) and role in _ROLES:
        # The fast path, which nearly all messages take.
        return Message(role=_ROLES[role], content=fields.text(content, f"{at}.content", limits))
    if not isinstance(role, str):
        raise BadRecord(Reason.BAD_FIELD, f"{at}.role", f"must be a string, not {fields.kind(role)}")
    if role in _TOOL_ROLES or value.get("tool_calls") or value.get("function_call"):
        raise BadRecord(
            Reason.UNSUPPORTED, at, "is a tool call or its result, which can't be learned from yet"
        )
    if role not in _ROLES:
        raise BadRecord(Reason.BAD_FIELD, f"{at}.role", "must be system, developer, user or assistant")
    if isinstance(content, list):
        content = _joined_parts(content, f"{at}.content")
    return Message(role=_ROLES[role], content=fields.text(content, f"{at}.content", limits))


def _joined_parts(parts: list[JSON], at: str) -> str:
    texts: list[str] = []
    for index, part in enumerate(parts):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise BadRecord(Reason.BAD_FIELD, f"{at}[{index}]", "must be an object with a type")
        if part["type"] != "text":
            raise BadRecord(Reason.UNSUPPORTED, f"{at}[{index}]", "is no text; only text can be learned from")
        if not isinstance(part.get("text"), str):
            raise BadRecord(Reason.BAD_FIELD, f"{at}[{index}].text", "must be a string")
        texts.append(cast(str, part["text"]))
    return "\n".join(texts)


def _in_alternation(turns: Iterable[Message], at: str) -> tuple[Message, ...]:
    """Join consecutive turns of one role. Raises BadRecord if a system turn comes late or no turn is a user's."""
    joined = tuple(turns)
    roles = [turn.role for turn in joined]
    if any(role == before for role, before in pairwise(roles)):
        joined = tuple(
            Message(role=role, content="\n".join(turn.content for turn in run))
            for role, run in groupby(joined, key=lambda turn: turn.role)
        )
        roles = [turn.role for turn in joined]
    if "system" in roles[1:]:
        raise BadRecord(Reason.BAD_TURNS, at, "has a system turn after the conversation began")
    if "user" not in roles:
        raise BadRecord(Reason.BAD_TURNS, at, "has no user turn")
    return joined
