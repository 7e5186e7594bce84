"""Values of learners.types as JSON, and back: what travels between the daemon and its child processes."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from learners.errors import BadRequest
from learners.types import (
    Conversation,
    Event,
    Failure,
    LoraSettings,
    Message,
    Progress,
    Role,
    RunResult,
    TrainRequest,
)

_ROLES = ("system", "user", "assistant")
_EVENTS: dict[str, type[Event]] = {"progress": Progress, "finished": RunResult, "failed": Failure}


def request_to_json(request: TrainRequest) -> str:
    """The request as JSON text, keys sorted: equal requests give equal text."""
    return json.dumps(dataclasses.asdict(request), default=str, sort_keys=True, indent=1)


def request_from_json(text: str) -> TrainRequest:
    """Raises BadRequest that names the field that is missing, unknown or malformed."""
    try:
        values = json.loads(text)
        settings = values.pop("settings", {})
        if isinstance(settings.get("target_modules"), list):
            settings["target_modules"] = tuple(settings["target_modules"])
        for name in ("base", "data", "output"):
            values[name] = Path(values[name])
        values["parent"] = None if values.get("parent") is None else Path(values["parent"])
        return TrainRequest(**values, settings=LoraSettings(**settings))
    except KeyError as error:
        raise BadRequest(f"the request lacks {error}") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise BadRequest(f"the request can't be read: {error}") from error


def event_to_json(event: Event) -> str:
    """One line of JSON: {"event": "progress" | "finished" | "failed", ...the event's fields}."""
    name = next(name for name, kind in _EVENTS.items() if isinstance(event, kind))
    return json.dumps({"event": name, **dataclasses.asdict(event)}, default=str)


def event_from_json(line: str) -> Event:
    """Raises ValueError where the line isn't an event: something else wrote to the pipe."""
    values = json.loads(line)
    if not isinstance(values, dict) or values.get("event") not in _EVENTS:
        raise ValueError(f"not an event: {line[:200]}")
    kind = _EVENTS[values.pop("event")]
    if "artifact" in values:
        values["artifact"] = Path(values["artifact"])
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"not an event: {error}") from error


def conversation_to_json(conversation: Conversation) -> dict[str, object]:
    """The shape of a line of the data file."""
    return dataclasses.asdict(conversation)


def conversation_from_json(values: object) -> Conversation:
    """Raises BadRequest that names what is missing or malformed. Keys that aren't needed are ignored."""
    if not isinstance(values, Mapping):
        raise BadRequest("a conversation is an object with id and messages")
    id_, messages = values.get("id"), values.get("messages")
    if not isinstance(id_, str) or not id_:
        raise BadRequest("id must be a text that isn't empty")
    if not isinstance(messages, list):
        raise BadRequest(f"messages of {id_!r} must be a list")
    return Conversation(id=id_, messages=tuple(message_from_json(message) for message in messages))


def message_from_json(values: object) -> Message:
    """Raises BadRequest for a role or content that isn't allowed."""
    if not isinstance(values, Mapping) or values.get("role") not in _ROLES:
        raise BadRequest(f"each message needs a role, one of {', '.join(_ROLES)}")
    content = values.get("content")
    if not isinstance(content, str) or not content:
        raise BadRequest("each message needs a content that isn't empty")
    return Message(role=cast(Role, values["role"]), content=content)
