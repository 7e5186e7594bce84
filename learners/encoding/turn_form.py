"""The form in which a chat template takes messages: where it looks for calls, reasoning and contents."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from learners.types import Message, ToolCall

#: Where a template takes an assistant's reasoning: in a field of the message, before its content, or nowhere.
ReasoningPlace: TypeAlias = Literal["reasoning_content", "reasoning", "thinking", "inline", "nowhere"]

_LETTERS_AND_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnForm:
    """How messages are handed to one template."""

    in_parts: bool = False  # contents are lists of parts, as templates of vision models demand
    arguments: Literal["object", "text"] = "object"  # of tool calls
    short_ids: bool = False  # call ids have nine letters and digits, as Mistral's templates demand
    reasoning: ReasoningPlace = "nowhere"

    def turn(self, message: Message, *, reasoning: bool = True) -> dict[str, Any]:
        """Return the message as this template takes it, with or without its reasoning."""
        thought = message.reasoning.strip() if reasoning and message.reasoning else ""
        content = message.content
        if thought and self.reasoning == "inline":
            content = f"<think>\n{thought}\n</think>\n\n{content}"
        turn: dict[str, Any] = {"role": message.role, "content": self._content(content)}
        if thought and self.reasoning not in ("inline", "nowhere"):
            turn[self.reasoning] = thought
        if message.tool_calls:
            turn["tool_calls"] = [self._call(call, index) for index, call in enumerate(message.tool_calls)]
        if message.tool_call_id is not None:
            turn["tool_call_id"] = self._id(message.tool_call_id)
        if message.name is not None:
            turn["name"] = message.name
        return turn

    def turns(self, messages: Sequence[Message], *, reasoning: bool = True) -> list[dict[str, Any]]:
        return [self.turn(message, reasoning=reasoning) for message in messages]

    def _content(self, content: str) -> str | list[dict[str, str]]:
        return [{"type": "text", "text": content}] if self.in_parts else content

    def _call(self, call: ToolCall, index: int) -> dict[str, Any]:
        return {
            "id": self._id(call.id or f"call_{index}"),
            "type": "function",
            "function": {"name": call.name, "arguments": self._arguments(call.arguments)},
        }

    def _arguments(self, text: str) -> Any:
        if self.arguments == "text":
            return text
        try:
            return json.loads(text)
        except ValueError:
            return text

    def _id(self, id_: str) -> str:
        """Return the id, or nine letters and digits that are the same for the same id."""
        if not self.short_ids or (len(id_) == 9 and id_.isalnum()):
            return id_
        number = int.from_bytes(hashlib.sha256(id_.encode()).digest())
        return "".join(_LETTERS_AND_DIGITS[number // 36**place % 36] for place in range(9))
