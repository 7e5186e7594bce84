"""Finds who spoke, in which chat, and when, under the names that producers use."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import orjson

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON
from daemon.intake import decoding_fields as fields
from daemon.intake.decoding_fields import Object
from daemon.intake.formats.reading import Reading
from daemon.intake.json_text import parsed_text
from daemon.intake.times import is_unset

#: Names of a user's id, the most telling first. ``safety_identifier`` may be a hash that only one provider knows.
USER_FIELDS = (
    "user_id", "userId", "userID", "user", "end_user", "endUser", "end_user_id", "endUserId", "enduser_id",
    "enduser.id", "user.id", "langfuse.user.id", "traceloop.association.properties.user_id", "customer_id", "_user",
    "uid", "username", "user_api_key_end_user_id", "safety_identifier",
)  # fmt: skip
#: Names of the id of a chat that goes on over several records.
SESSION_FIELDS = (
    "session_id", "sessionId", "sessionID", "session", "session.id", "litellm_session_id", "chat_session_id",
    "thread_id", "threadId", "chat_id", "chatId", "conversation_id", "conversationId", "conversation",
    "gen_ai.conversation.id", "langfuse.session.id", "traceloop.association.properties.session_id",
)  # fmt: skip
TIME_FIELDS = (
    "ts", "timestamp", "@timestamp", "time", "datetime", "date", "created_at", "createdAt", "created", "startTime",
    "start_time", "started_at", "endTime", "end_time",
)  # fmt: skip
_USERS, _SESSIONS = frozenset(USER_FIELDS), frozenset(SESSION_FIELDS)
_NAMES = _USERS | _SESSIONS

Place = tuple[Object, str]
"""An object that may name something, and its path with a dot at its end; empty for the record itself."""


def names_someone(record: Object) -> bool:
    """Return whether an object may name a user or a session."""
    return not _NAMES.isdisjoint(record)


def user_of(places: Sequence[Place]) -> str | None:
    """Return the user's id: the most telling name counts, and of one name the first place. Raises BadRecord."""
    return _first_name([place for place in places if not _USERS.isdisjoint(place[0])], USER_FIELDS)


def session_of(places: Sequence[Place], *, but: str | None = None) -> str | None:
    """Return the id of the chat; ``but`` is the conversation's own id, which is none. Raises BadRecord."""
    found = [place for place in places if not _SESSIONS.isdisjoint(place[0])]
    session = _first_name(found, SESSION_FIELDS) if found else None
    return None if session == but else session


def time_of(places: Sequence[Place], reading: Reading, *, names: Sequence[str] = TIME_FIELDS) -> datetime:
    """Return the first time that is named, else the time at which the record was recorded. Raises BadRecord."""
    for record, at in places:
        for name in names:
            if name in record and not is_unset(record[name]):
                return fields.time(record, name, reading.received_at, at)
    if reading.recorded_at is not None:
        return reading.recorded_at
    raise BadRecord(Reason.MISSING_FIELD, places[0][1] + names[0], "is required")


def object_at(record: Object, key: str) -> Object:
    """Return an object in a record; an empty one if there is none."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def places_of(record: Object, at: str = "") -> list[Place]:
    """Return an object and those within it that may name something, such as its metadata."""
    if _HOLDERS.isdisjoint(record):  # a shortcut
        return [(record, at)]
    held = [(inner, f"{at}{name}.") for name in _HOLDING if isinstance(inner := record.get(name), dict)]
    return [(record, at), *held]


#: Objects beside the turns in which producers name user and session.
_HOLDING = ("metadata", "context", "extra", "properties")
_HOLDERS = frozenset(_HOLDING)


def digest_id(record: JSON) -> str:
    """Return an id for a record that names none: the same record always gets the same. Raises BadRecord."""
    try:
        return f"sha256-{hashlib.sha256(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)).hexdigest()[:40]}"
    except TypeError:
        raise BadRecord(Reason.OVER_LIMIT, "", "is nested too deeply") from None


def _first_name(places: Sequence[Place], names: Sequence[str]) -> str | None:
    for name in names if places else ():
        for record, at in places:
            if name not in record:
                continue
            value = record[name]
            if isinstance(value, list):
                if name == "conversation":  # its turns
                    continue
                value = value[0] if len(value) == 1 else value
            found = fields.optional_name({name: value}, name, at)
            if found and found not in _NO_IDS:
                return found
    return None


#: What languages make of an id that is not there.
_NO_IDS = frozenset({"null", "None", "undefined"})
_HEADERS = frozenset(
    {"user_id", "session_id", "conversation_id", "chat_id", "thread_id", "end_user_id", "user", "session"}
)
#: Headers that admission may ask for, and the metadata that they become.
_ADMITTING_HEADERS = frozenset({"tenant", "tenant_id", "org_id", "organization_id", "consent"})


def named_by_headers(headers: Object) -> dict[str, JSON]:
    """Return what the headers of chat front ends name, such as ``x-session-id``: who, which chat, and the tenant."""
    named: dict[str, JSON] = {}
    for header, value in headers.items():
        name = header.lower().removeprefix("x-").removeprefix("openwebui-").replace("-", "_")
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, str) and (name in _HEADERS or name in _ADMITTING_HEADERS):
            named.setdefault(name, value)
    return named


def admitting(named: Object) -> Object:
    """Return what headers say of tenant and consent, as metadata."""
    return {name: value for name, value in named.items() if name in _ADMITTING_HEADERS}


def own_metadata(record: Object) -> Object:
    """Return the metadata that a record gives. Raises BadRecord."""
    given = parsed_text(record.get("metadata"))
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise BadRecord(Reason.BAD_FIELD, "metadata", f"must be an object, not {fields.kind(given)}")
    return given
