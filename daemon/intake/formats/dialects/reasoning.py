"""Separates an answer's reasoning from the answer."""

import re

from daemon.domain.conversation import JSON
from daemon.intake.decoding_fields import Object

_OPEN, _CLOSE = "<think>", "</think>"
#: The opening mark may be missing: some templates put it into the prompt.
_CLOSING = re.compile(r"</think>[ \t]*(?:\r?\n|$)")
_FIELDS = ("reasoning_content", "reasoning", "thinking")
_ALL_FIELDS = frozenset((*_FIELDS, "thinking_blocks"))


def split_inline(text: str) -> tuple[str | None, str]:
    """Split an answer that begins with its reasoning between marks; return the reasoning, if any, and the answer.

    Reasoning without its closing mark was cut off, so there is no answer.
    """
    opened = text.lstrip()
    if opened.startswith(_OPEN):
        thought, closed, answer = opened[len(_OPEN) :].partition(_CLOSE)
        return thought.strip() or None, answer.lstrip() if closed else ""
    closing = _CLOSING.search(text)
    if closing is None:
        return None, text
    return text[: closing.start()].strip() or None, text[closing.end() :].lstrip()


def reasoning_field(message: Object) -> str | None:
    """Return the reasoning that a message has in a field of its own; None if there is none."""
    if _ALL_FIELDS.isdisjoint(message):
        return None
    for name in _FIELDS:
        found = _joined(message.get(name))
        if found:
            return found
    return _joined(message.get("thinking_blocks"))


def _joined(value: JSON) -> str | None:
    """Return a text, or the texts of a list of blocks."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, list):
        texts = [
            text
            for block in value
            if isinstance(block, dict)
            for text in (block.get("thinking"), block.get("text"), block.get("content"))
            if isinstance(text, str)
        ]
        return "\n".join(texts).strip() or None
    if isinstance(value, dict):
        return _joined(value.get("content")) or _joined(value.get("text"))
    return None
