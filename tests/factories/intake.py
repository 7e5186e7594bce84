"""Records, conversations and settings for tests of the intake."""

from datetime import UTC, datetime

import orjson

from daemon.domain.conversation import JSON, Conversation, Feedback, Message
from daemon.domain.streams import RawRecord
from daemon.kafka.settings import KafkaSettings

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def a_message(role: str = "user", content: str = "Where is my parcel?") -> dict[str, JSON]:
    return {"role": role, "content": content}


def a_record(**changes: JSON) -> dict[str, JSON]:
    """A native conversation record; a change to None leaves the field out."""
    record: dict[str, JSON] = {
        "conversation_id": "c-1",
        "ts": "2026-11-24T11:59:00Z",
        "model_line": "support-bot",
        "user_id": "u-1",
        "messages": [a_message(), a_message("assistant", "在路上，明天到。")],
    }
    return {key: value for key, value in (record | changes).items() if value is not None}


def a_completion(**changes: JSON) -> dict[str, JSON]:
    """A logged chat completion as the OpenAI API has it."""
    record: dict[str, JSON] = {
        "request": {"model": "support-bot", "messages": [a_message()], "user": "u-1", "temperature": 0.2},
        "response": {
            "id": "chatcmpl-1",
            "created": 1_795_521_540,
            "model": "support-bot-v7",
            "choices": [
                {"index": 0, "message": a_message("assistant", "On its way."), "finish_reason": "stop"}
            ],
            "usage": {"total_tokens": 31},
        },
    }
    return record | changes


def as_bytes(record: JSON) -> bytes:
    return orjson.dumps(record)


def a_conversation(
    conversation_id: str = "c-1",
    *,
    user_id: str | None = "u-1",
    at: datetime = NOW,
    question: str = "Where is my parcel?",
    feedback: Feedback | None = None,
) -> Conversation:
    return Conversation(
        conversation_id=conversation_id,
        at=at,
        user_id=user_id,
        messages=(
            Message(role="user", content=question),
            Message(role="assistant", content="在路上，明天到。"),
        ),
        feedback=feedback,
    )


def a_raw_record(value: bytes | None = b"{}", *, offset: int = 7) -> RawRecord:
    return RawRecord(
        topic="conversations",
        partition=2,
        offset=offset,
        timestamp_ms=1_795_521_540_000,
        key=b"u-1",
        value=value,
        headers=(("trace", b"abc"),),
    )


def kafka_settings(bootstrap: str, topic: str, *, group: str | None = None) -> KafkaSettings:
    """Settings of a group that forms quickly."""
    return KafkaSettings(
        bootstrap_servers=(bootstrap,),
        topic=topic,
        dead_letter_topic=f"{topic}-dead",
        group_id=group or f"{topic}-group",
        session_timeout_ms=1200,
        heartbeat_interval_ms=400,
    )
