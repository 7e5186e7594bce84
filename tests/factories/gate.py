"""Held-out conversations and lessons, for tests of the gate."""

from dataclasses import replace
from datetime import UTC, datetime

from daemon.domain.conversation import Message
from daemon.domain.lessons import LessonRules
from daemon.domain.records import Coordinates, StoredConversation
from daemon.release.held_out_lessons import HeldOutLesson, held_out_lesson
from learners.types import Answer
from registry.names import VersionName
from registry.types import Lineage, Version

LINE = "chat"
RULES = LessonRules(model_line=LINE, own_names=frozenset({"base"}))


def user(text: str) -> Message:
    return Message(role="user", content=text)


def assistant(text: str, **facts: object) -> Message:
    return Message(role="assistant", content=text, **facts)  # type: ignore[arg-type]


def a_stored(seq: int, *messages: Message, version: str | None = None, **facts: object) -> StoredConversation:
    """A held-out conversation; by default one question that a person answered."""
    stored = StoredConversation(
        seq=seq,
        conversation_id=f"c{seq}",
        coordinates=Coordinates(topic="conversations", partition=0, offset=seq),
        at=datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
        group=f"u{seq}",
        held_out=True,
        version=version,
        messages=messages or (user(f"question {seq}"), assistant(f"answer {seq}")),
        feedback=None,
        text_digest=f"{seq:064x}",
        record_sha256=f"{seq:064x}",
        conversation_hash=f"h{seq}",
        thread=seq,
    )
    return replace(stored, **facts)  # type: ignore[arg-type]


def a_lesson(seq: int, *messages: Message, version: str | None = None, **facts: object) -> HeldOutLesson:
    """What such a conversation teaches."""
    lesson = held_out_lesson(a_stored(seq, *messages, version=version, **facts), RULES)
    assert lesson is not None
    return lesson


def a_version(number: int, *, method: str = "lora") -> Version:
    """A version of the line; number 0 is the bare base."""
    lineage = Lineage(
        base="base", base_digest="b", parent=None, method=method, settings={}, seed=0, packages={}, sources=(),
        conversations=0, data_digest="",
    )  # fmt: skip
    return Version(
        name=VersionName(LINE, number), run=f"r{number}" if number else None, artifact=f"file:///v{number}" if number else None,
        digest="d" * 64, size_bytes=1, lineage=lineage, created_at=datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
    )  # fmt: skip


def an_answer(id_: str, text: str, *, ended: bool = True) -> Answer:
    return Answer(id=id_, text=text, raw=text, ended=ended, tokens=len(text.split()) + 1)
