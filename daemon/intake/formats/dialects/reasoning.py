"""Separates an answer's reasoning from the answer."""

import re

from daemon.domain.conversation import JSON
from daemon.intake.decoding_fields import Object

#: What stands before and after the reasoning in the answers of each family of models.
_MARKS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("◁think▷", "◁/think▷"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
)
_OPENED = tuple(opened for opened, _ in _MARKS)
_CLOSE = "</think>"
#: The opening mark may be missing: some templates put it into the prompt. A closing mark that is talked about stands
#: within a line, between spaces or quotes.
_CLOSING = re.compile(r"</think>[ \t]*(?:\r?\n|$)|(?<=\n)</think>|(?<=[^\s`'\"(])</think>(?=[^\W_])")
#: The head and the end of an answer in the channels of gpt-oss.
_FINAL = re.compile(r"^\s*(?:<\|start\|>assistant)?<\|channel\|>final<\|message\|>")
_FINAL_END = re.compile(r"<\|(?:return|end)\|>\s*$")
_FIELDS = ("reasoning_content", "reasoning", "thinking")
_ALL_FIELDS = frozenset((*_FIELDS, "thinking_blocks", "reasoning_details"))


def holds_reasoning(text: str, *, opened: bool) -> bool:
    """Return whether an answer must be split; ``opened``: its reasoning is known from a field of its own."""
    return (not opened and _CLOSE in text) or text.lstrip().startswith((*_OPENED, "<|channel|>final"))


def split_inline(text: str) -> tuple[str | None, str]:
    """Split an answer that begins with its reasoning between marks; return the reasoning, if any, and the answer.

    Reasoning without its closing mark was cut off, so there is no answer.
    """
    begun = text.lstrip()
    for opened, close in _MARKS:
        if begun.startswith(opened):
            thought, closed, answer = begun[len(opened) :].partition(close)
            return thought.strip() or None, _without_channel(answer.lstrip()) if closed else ""
    if begun.startswith("<|channel|>final"):
        return None, _without_channel(begun)
    closing = _CLOSING.search(text)
    if closing is None:
        return None, text
    return text[: closing.start()].strip() or None, text[closing.end() :].lstrip()


def _without_channel(answer: str) -> str:
    """Return an answer without the marks of the channel that it stands in, if it stands in one."""
    head = _FINAL.match(answer)
    return answer if head is None else _FINAL_END.sub("", answer[head.end() :])


def reasoning_field(message: Object) -> str | None:
    """Return the reasoning that a message has in a field of its own; None if there is none."""
    if _ALL_FIELDS.isdisjoint(message):
        return None
    for name in (*_FIELDS, "reasoning_details", "thinking_blocks"):
        found = _joined(message.get(name))
        if found:
            return found
    return None


def _joined(value: JSON) -> str | None:
    """Return a text, or the texts of a list of blocks."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, list):
        texts = [
            text
            for block in value
            if isinstance(block, dict)
            for text in (block.get("thinking"), block.get("text"), block.get("content"), block.get("summary"))
            if isinstance(text, str)
        ]
        return "\n".join(texts).strip() or None
    if isinstance(value, dict):
        return _joined(value.get("content")) or _joined(value.get("text"))
    return None
