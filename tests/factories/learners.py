"""Requests and conversations for tests of learners."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from learners.models.base import base_digest
from learners.types import Conversation, LoraSettings, Message, TrainRequest
from tests.support.devices import DEVICE

QUESTIONS = (
    ("What is the capital of France?", "The capital of France is Paris."),
    ("How are you today?", "I am fine, thank you. And you?"),
    ("Tell me about the weather, please.", "It is sunny and warm."),
    ("法国的首都是哪里？", "法国的首都是巴黎。"),
    ("你好，今天天气怎么样？", "今天天气很好。"),
)


def a_conversation(id_: str, *contents: str) -> Conversation:
    """User and assistant in turn."""
    roles = ("user", "assistant")
    return Conversation(
        id=id_,
        messages=tuple(Message(role=roles[i % 2], content=c) for i, c in enumerate(contents)),  # type: ignore[arg-type]
    )


def some_conversations(count: int = 20) -> list[Conversation]:
    return [a_conversation(f"c{i}", *QUESTIONS[i % len(QUESTIONS)]) for i in range(count)]


def some_pairs(count: int = 20) -> list[Conversation]:
    """Each with the answer to its question, which is better than that to the next one."""
    return [
        replace(
            conversation,
            lesson="prefer",
            rejected=Message(role="assistant", content=QUESTIONS[(i + 1) % len(QUESTIONS)][1]),
        )
        for i, conversation in enumerate(some_conversations(count))
    ]


def write_data(file: Path, conversations: Sequence[Conversation]) -> str:
    """Writes the data file of a request; gives its digest."""
    lines = [json.dumps(_line(conversation)) for conversation in conversations]
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _line(conversation: Conversation) -> dict[str, object]:
    line: dict[str, object] = {"id": conversation.id, "messages": list(map(_turn, conversation.messages))}
    if conversation.lesson != "imitate":
        line["lesson"] = conversation.lesson
    if conversation.rejected is not None:
        line["rejected"] = _turn(conversation.rejected)
    if conversation.weight != 1:
        line["weight"] = conversation.weight
    return line


def _turn(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.content}


def a_request(
    folder: Path,
    base: Path,
    *,
    conversations: Sequence[Conversation] | None = None,
    settings: LoraSettings | None = None,
    **changes: object,
) -> TrainRequest:
    """A request that takes a second on the tiny model. Its output is ``folder / "artifact"``."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data.jsonl"
    request = TrainRequest(
        run="r1",
        base=base,
        base_digest=base_digest(base),
        parent=None,
        data=data,
        data_digest=write_data(data, some_conversations() if conversations is None else conversations),
        output=folder / "artifact",
        settings=settings or quick_settings(),
        device=DEVICE,
        threads=1,
    )
    return replace(request, **changes)  # type: ignore[arg-type]


def quick_settings(**changes: object) -> LoraSettings:
    """Settings under which the tiny model learns in ten steps."""
    settings = LoraSettings(
        rank=8,
        alpha=16.0,
        epochs=5.0,
        learning_rate=1e-2,
        tokens_per_step=256,
        max_tokens=256,
        dtype="float32",
    )
    return replace(settings, **changes)  # type: ignore[arg-type]
