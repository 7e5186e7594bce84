"""Finds the body of a request or response: an object, its JSON text, or the events of a stream."""

from collections.abc import Mapping

import orjson

from daemon.domain.conversation import JSON
from daemon.intake.formats.calls.streams import assembled, events_of_text, is_chunk, is_line_of_ollama

#: Fields of which a body of a chat API has one; what has none and a field ``body`` is an HTTP message around one.
_OF_BODIES = frozenset({"messages", "input", "prompt", "choices", "output", "content", "error"})


def body_of(value: JSON) -> JSON:
    """Return the body in a logged request or response; a text that is no JSON stays a text."""
    if isinstance(value, str):
        return _parsed(value)
    if isinstance(value, dict):
        if "body" in value and _OF_BODIES.isdisjoint(value):
            return body_of(value["body"])
        chunks = value.get("chunks")
        if isinstance(chunks, list) and _OF_BODIES.isdisjoint(value):
            return body_of(chunks)
        return assembled([value]) if _is_stream(value) else value
    if isinstance(value, list):
        return _of_list(value)
    return value


def _of_list(value: list[JSON]) -> JSON:
    """Return the response that a list of events makes, each an object or its text; any other list as it is."""
    if value and all(isinstance(event, str) for event in value):
        return body_of("\n".join(str(event) for event in value if event != "[DONE]"))
    is_stream = any(is_chunk(event) for event in value) or (
        len(value) > 1 and all(map(is_line_of_ollama, value))
    )
    return assembled(value) if is_stream else value


def at_body(value: JSON, at: str) -> str:
    """Return the field of the body that :func:`body_of` finds."""
    is_around = isinstance(value, dict) and "body" in value and _OF_BODIES.isdisjoint(value)
    return f"{at}.body" if is_around else at


def _is_stream(value: Mapping[str, JSON]) -> bool:
    return ("delta" in value or "choices" in value or "type" in value) and is_chunk(value)


def _parsed(text: str) -> JSON:
    start = text.lstrip()[:1]
    if start in ("{", "["):
        try:
            return body_of(orjson.loads(text))
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            if (lines := _json_lines(text)) is not None:
                return body_of(lines)
    events = events_of_text(text) if "data:" in text else []
    return assembled(events) if events else text


def _json_lines(text: str) -> list[JSON] | None:
    """Return the values of a text with one on each line; None if it is no such text."""
    try:
        return [orjson.loads(line) for line in text.splitlines() if line.strip()]
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None
