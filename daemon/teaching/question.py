"""What a teacher is to be asked."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import orjson

from daemon.domain.conversation import Message
from daemon.domain.teaching import TeacherPurpose

#: Messages of OpenAI's form: role and content.
ChatMessages: TypeAlias = Sequence[dict[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Question:
    """One call to make."""

    purpose: TeacherPurpose
    digest: str  # equal for questions that need not be asked twice
    messages: ChatMessages
    max_tokens: int
    seq: int | None = None  # of the conversation whose prompt it is
    promised: "Future[str | None] | None" = None  # of a judge: who waits for the letter
    until: datetime | None = None  # of a judge: nobody waits after this time


def chat_messages(prompt: Sequence[Message], *, before: str | None = None) -> list[dict[str, str]]:
    """Return a prompt of plain turns as an endpoint takes it. ``before`` stands before its own system prompt."""
    messages = [{"role": message.role, "content": message.content} for message in prompt]
    if before is None:
        return messages
    if messages and messages[0]["role"] == "system":
        return [{"role": "system", "content": f"{before}\n\n{messages[0]['content']}"}, *messages[1:]]
    return [{"role": "system", "content": before}, *messages]


def question_digest(messages: ChatMessages) -> str:
    """Return a digest of messages to the letter."""
    return hashlib.sha256(orjson.dumps(list(messages))).hexdigest()
