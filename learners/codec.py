"""Reads and writes the values of learners.types as JSON, for the pipes between the daemon and its children."""

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from learners.errors import BadRequest
from learners.types import (
    Answer,
    Conversation,
    Event,
    Failure,
    Message,
    Progress,
    Rendering,
    RunResult,
    Score,
    ScorerStats,
    Surprisals,
    TrainRequest,
)

_T = TypeVar("_T")

_REQUEST = TypeAdapter(TrainRequest)
_CONVERSATION = TypeAdapter(Conversation)
_EVENTS: dict[str, TypeAdapter[Any]] = {
    "progress": TypeAdapter(Progress),
    "finished": TypeAdapter(RunResult),
    "failed": TypeAdapter(Failure),
}
_EVENT_NAMES: dict[type[Event], str] = {Progress: "progress", RunResult: "finished", Failure: "failed"}

#: What scorer and daemon exchange: ``validate_python`` reads the parsed JSON, ``dump_python`` writes it.
CONVERSATIONS = TypeAdapter(list[Conversation])
MESSAGES = TypeAdapter(list[Message])
SCORES = TypeAdapter(list[Score])
SURPRISALS = TypeAdapter(list[Surprisals])
ANSWERS = TypeAdapter(list[Answer])
RENDERING = TypeAdapter(Rendering)
SCORER_STATS = TypeAdapter(ScorerStats)


def request_to_json(request: TrainRequest) -> str:
    """Return the request as JSON text, keys sorted: equal requests give equal text."""
    return json.dumps(_REQUEST.dump_python(request, mode="json"), sort_keys=True, indent=1)


def request_from_json(text: str) -> TrainRequest:
    """Read a request. Raises BadRequest that names every field that is missing, unknown or malformed."""
    try:
        return _REQUEST.validate_json(text, strict=True)
    except ValidationError as error:
        raise BadRequest(f"the request can't be read: {explain(error)}") from error


def event_to_json(event: Event) -> str:
    """Return one line of JSON: {"event": "progress" | "finished" | "failed", ...the event's fields}."""
    name = _EVENT_NAMES[type(event)]
    return json.dumps({"event": name, **_EVENTS[name].dump_python(event, mode="json")})


def event_from_json(line: str) -> Event:
    """Read an event. Raises ValueError where the line isn't one: something else wrote to the pipe."""
    values = json.loads(line)
    if not isinstance(values, dict) or values.get("event") not in _EVENTS:
        raise ValueError(f"not an event: {line[:200]}")
    adapter = _EVENTS[values.pop("event")]
    try:
        event: Event = adapter.validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise ValueError(f"not an event: {explain(error)}") from error
    return event


def conversation_from_line(line: str) -> Conversation:
    """Read one line of a data file; keys that aren't needed are ignored. Raises BadRequest that names what is wrong."""
    try:
        return _CONVERSATION.validate_json(line)
    except ValidationError as error:
        raise BadRequest(explain(error)) from error


def read(adapter: TypeAdapter[_T], values: object) -> _T:
    """Read a part of a request. Raises BadRequest that names what is wrong."""
    try:
        return adapter.validate_python(values)
    except ValidationError as error:
        raise BadRequest(explain(error)) from error


def explain(error: ValidationError) -> str:
    """Name every field that was refused, by its path, and why."""
    return "; ".join(f"{_path(found['loc'])}{found['msg']}" for found in error.errors())


def _path(location: tuple[int | str, ...]) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return f"{path.removeprefix('.')}: " if path else ""
