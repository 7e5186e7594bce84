"""Facts for tests of the daemon, with sensible values for whatever a test does not care about."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from daemon.domain.conversation import Conversation, Feedback, Message
from daemon.domain.records import Batch, Coordinates, DeadLetter, NewConversation, NewFeedback, Tombstone
from daemon.domain.text_digest import text_digest
from daemon.domain.turns import turns_of
from daemon.ledger.database import connect
from daemon.ledger.tables import metadata

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TOPIC = "conversations"


def a_ledger(folder: Path) -> Engine:
    """An empty SQLite ledger."""
    engine = connect(f"sqlite:///{folder / 'ledger.db'}")
    metadata.create_all(engine)
    return engine


def a_conversation(
    offset: int,
    *,
    name: str | None = None,
    text: str | None = None,
    held_out: bool = False,
    user: str | None = None,
    feedback: Feedback | None = None,
    at: datetime = NOW,
) -> NewConversation:
    """A conversation at this offset."""
    messages = (
        Message(role="user", content=text or f"question {offset}"),
        Message(role="assistant", content=f"answer to {text or offset}"),
    )
    name = name or f"c{offset}"
    return NewConversation(
        conversation=Conversation(conversation_id=name, at=at, messages=messages, feedback=feedback),
        at=Coordinates(topic=TOPIC, partition=0, offset=offset),
        user_hash=user,
        group=user or name,
        conversation_hash=f"hash of {name}",
        held_out=held_out,
        turns=turns_of(messages),
        text_digest=text_digest(messages),
        record_sha256=f"{offset:064x}",
    )


def a_feedback(offset: int, conversation_id: str, *, thumb: str = "up", at: datetime = NOW) -> NewFeedback:
    """A thumb that came as a record of its own."""
    return NewFeedback(
        conversation_id=conversation_id,
        at=Coordinates(topic=TOPIC, partition=0, offset=offset),
        when=at,
        feedback=Feedback(thumb="up" if thumb == "up" else "down"),
    )


def a_dead_letter(offset: int) -> DeadLetter:
    """A record that was not JSON."""
    at = Coordinates(topic=TOPIC, partition=0, offset=offset)
    return DeadLetter(
        at=at, reason="not_json", field="", message="no JSON", key=None, value=b"\xff", when=NOW,
        digest=hashlib.sha256(b"\xff").hexdigest(), size=1,
    )  # fmt: skip


def a_tombstone(offset: int, conversation_id: str) -> Tombstone:
    """A record without a value, under the key of a conversation of ``a_conversation``."""
    return Tombstone(
        at=Coordinates(topic=TOPIC, partition=0, offset=offset),
        conversation_id=conversation_id,
        conversation_hash=f"hash of {conversation_id}",
    )


def a_batch(
    conversations: Iterable[NewConversation] = (),
    *,
    feedback: Iterable[NewFeedback] = (),
    dead_letters: Iterable[DeadLetter] = (),
    tombstones: Iterable[Tombstone] = (),
    at: datetime = NOW,
) -> Batch:
    """A batch that moves the offset behind its last record."""
    batch = Batch(
        conversations=tuple(conversations),
        feedback=tuple(feedback),
        dead_letters=tuple(dead_letters),
        tombstones=tuple(tombstones),
        received_at=at,
    )
    places = [
        *(new.at for new in batch.conversations),
        *(new.at for new in batch.feedback),
        *(letter.at for letter in batch.dead_letters),
        *(tombstone.at for tombstone in batch.tombstones),
    ]
    return replace(batch, next_offsets={(TOPIC, 0): max(place.offset for place in places) + 1})


def some_conversations(first: int, count: int, *, held_out_every: int = 0) -> list[NewConversation]:
    """Conversations at adjacent offsets; every so many is held out."""
    return [
        a_conversation(offset, held_out=bool(held_out_every) and offset % held_out_every == 0)
        for offset in range(first, first + count)
    ]


def spread(new: NewConversation) -> NewConversation:
    """The same conversation, with a hash as real ones are: in no order."""
    name = new.conversation.conversation_id.encode()
    return replace(new, conversation_hash=hashlib.sha256(name).hexdigest())
