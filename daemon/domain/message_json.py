"""Messages as JSON: in the ledger, in training files and in native records. Fields that say nothing are left out."""

from collections.abc import Iterable, Mapping
from typing import Any

from daemon.domain.conversation import Message, ToolCall


def message_documents(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return messages as JSON documents, in order; a plain turn has ``role`` and ``content`` only."""
    return [_document(message) for message in messages]


def messages_from(documents: Iterable[Mapping[str, Any]]) -> tuple[Message, ...]:
    """Return the messages of documents that :func:`message_documents` made."""
    return tuple(
        Message(role=one["role"], content=one["content"]) if len(one) == 2 else _message(one)
        for one in documents
    )


def _document(message: Message) -> dict[str, Any]:
    document: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.reasoning is not None:
        document["reasoning"] = message.reasoning
    if message.tool_calls:
        document["tool_calls"] = [
            {"name": call.name, "arguments": call.arguments} | ({"id": call.id} if call.id else {})
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        document["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        document["name"] = message.name
    if not message.learned:
        document["learned"] = False
    if message.cut_off:
        document["cut_off"] = True
    return document


def _message(document: Mapping[str, Any]) -> Message:
    calls = tuple(ToolCall(**call) for call in document.get("tool_calls", ()))
    return Message(**{**document, "tool_calls": calls})
