"""Assembles answers that were logged as the events of a stream."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from daemon.domain.conversation import JSON
from daemon.intake.decoding_fields import Object

#: The reason of an answer whose stream was logged without its end.
_UNFINISHED = "incomplete"
_ENDS = ("response.completed", "response.incomplete", "response.failed")


def events_of_text(text: str) -> list[Object]:
    """Return the events of a body of server-sent events; none if it is no such body."""
    events: list[Object] = []
    for line in text.splitlines():
        if not line.startswith("data:") or line[5:].strip() == "[DONE]":
            continue
        try:
            event = orjson.loads(line[5:])
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def is_chunk(value: JSON) -> bool:
    """Return whether a value is an event of a stream."""
    if not isinstance(value, dict):
        return False
    if value.get("object") == "chat.completion.chunk":
        return True
    kind = value.get("type")
    if isinstance(kind, str) and (kind in _ANTHROPIC or kind.startswith("response.")):
        return True
    choices = value.get("choices")
    return isinstance(choices, list) and any(isinstance(one, dict) and "delta" in one for one in choices)


def is_line_of_ollama(value: JSON) -> bool:
    """Return whether a value is a line of a stream of Ollama's."""
    return isinstance(value, dict) and isinstance(value.get("done"), bool) and "message" in value


def _ollama(lines: Sequence[Object]) -> Object:
    """Join the pieces of the message; the last line has all else."""
    messages = [message for line in lines if isinstance(message := line.get("message"), dict)]
    joined: dict[str, Any] = {"role": "assistant"}
    for name in ("content", "thinking"):
        joined[name] = "".join(str(message.get(name) or "") for message in messages)
    calls = [call for message in messages for call in _list(message.get("tool_calls"))]
    if calls:
        joined["tool_calls"] = calls
    last = lines[-1]
    reason = last.get("done_reason") or (None if last["done"] else _UNFINISHED)
    return {**last, "message": joined, "done_reason": reason}


def assembled(events: Iterable[JSON]) -> Object:
    """Return the response that the events of a stream make, as the same API gives it without a stream."""
    found = [event for event in events if isinstance(event, dict)]
    failed = next((event for event in found if event.get("error")), None)
    if failed is not None:
        return failed
    if found and all(is_line_of_ollama(event) for event in found):
        return _ollama(found)
    kinds = {event.get("type") for event in found if isinstance(event.get("type"), str)}
    if any(isinstance(kind, str) and kind.startswith("response.") for kind in kinds):
        return _responses(found)
    if kinds & _ANTHROPIC:
        return _anthropic(found)
    return _chat(found)


def _responses(events: Sequence[Object]) -> Object:
    """Return what the last event says of the whole response; without it, its finished items."""
    for event in reversed(events):
        response = event.get("response")
        if event.get("type") in _ENDS and isinstance(response, dict):
            return response
    items = [event.get("item") for event in events if event.get("type") == "response.output_item.done"]
    started = next((found for event in events if isinstance(found := event.get("response"), dict)), {})
    return {**started, "status": _UNFINISHED, "output": [item for item in items if item is not None]}


def _chat(chunks: Sequence[Object]) -> Object:
    """Join the chunks of the choice with the lowest index."""
    choices = [
        choice
        for chunk in chunks
        for choice in _list(chunk.get("choices"))
        if isinstance(choice, dict)
    ]  # fmt: skip
    first = min((_index(choice) for choice in choices), default=0)
    message: dict[str, Any] = {"role": "assistant"}
    calls: dict[int, dict[str, Any]] = {}
    reason: JSON = None
    for choice in choices:
        if _index(choice) != first:
            continue
        reason = choice.get("finish_reason") or reason
        delta = choice.get("delta")
        for name, value in delta.items() if isinstance(delta, dict) else ():
            if name == "tool_calls":
                _add_calls(calls, value)
            elif isinstance(value, str) and name != "role":
                message[name] = message.get(name, "") + value
    if calls:
        message["tool_calls"] = [calls[position] for position in sorted(calls)]
    head = _merged(
        {name: chunk[name] for name in ("id", "created", "model") if chunk.get(name)} for chunk in chunks
    )
    choice = {"index": first, "message": message, "finish_reason": reason or _UNFINISHED}
    return {**head, "choices": [choice] if choices else []}


def _add_calls(calls: dict[int, dict[str, Any]], value: JSON) -> None:
    """Add the pieces of calls, which belong together by their index."""
    for piece in _list(value):
        if not isinstance(piece, dict):
            continue
        call = calls.setdefault(_index(piece), {"function": {"name": "", "arguments": ""}})
        if isinstance(piece.get("id"), str) and piece["id"]:
            call["id"] = piece["id"]
        function = piece.get("function")
        for name in ("name", "arguments"):
            if isinstance(function, dict) and isinstance(function.get(name), str):
                if name == "name" and call["function"][name] == function[name]:
                    continue  # some servers name the function in every piece
                call["function"][name] += function[name]


_ANTHROPIC = frozenset(
    {"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
     "message_stop"}
)  # fmt: skip
#: The field of a block that each kind of a delta adds to.
_DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def _anthropic(events: Sequence[Object]) -> Object:
    head: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    reason: JSON = None
    for event in events:
        delta, started = event.get("delta"), event.get("content_block")
        if isinstance(event.get("message"), dict):
            head.update(event["message"])  # type: ignore[arg-type]
        if isinstance(started, dict):
            blocks[_index(event)] = {**started, "partial_json": ""}
        elif isinstance(delta, dict) and event.get("type") == "content_block_delta":
            block = blocks.setdefault(_index(event), {"type": "text", "text": "", "partial_json": ""})
            name = _DELTAS.get(str(delta.get("type")))
            if name is not None and isinstance(delta.get(name), str):
                block[name] = str(block.get(name) or "") + str(delta[name])
        elif isinstance(delta, dict):
            reason = delta.get("stop_reason") or reason
    content = [_block(blocks[position]) for position in sorted(blocks)]
    return {**head, "content": content, "stop_reason": reason or _UNFINISHED}


def _block(block: Mapping[str, Any]) -> Object:
    partial = block["partial_json"]
    whole = {name: value for name, value in block.items() if name != "partial_json"}
    return {**whole, "input": partial} if partial else whole


def _merged(heads: Iterable[Mapping[str, JSON]]) -> dict[str, JSON]:
    merged: dict[str, JSON] = {}
    for head in heads:
        for name, value in head.items():
            merged.setdefault(name, value)
    return merged


def _index(value: Object) -> int:
    index = value.get("index")
    return index if isinstance(index, int) else 0


def _list(value: JSON) -> Sequence[JSON]:
    return value if isinstance(value, list) else ()
