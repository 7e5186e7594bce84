"""Rules of lessons, and corrections, for tests."""

import dataclasses
from datetime import datetime, timedelta

from daemon.domain.conversation import Feedback, Message
from daemon.domain.lessons import LessonRules
from daemon.domain.records import Coordinates, NewConversation, NewFeedback
from tests.factories.ledger import NOW, TOPIC, a_conversation

RULES = LessonRules(model_line="support-bot", own_names=frozenset({"base"}), people=("agent-*",))


def answered(
    offset: int,
    version: str | None = None,
    *,
    feedback: Feedback | None = None,
    rejected: str | None = None,
    held_out: bool = False,
    user: str | None = None,
) -> NewConversation:
    """A conversation that this version answered."""
    new = a_conversation(offset, held_out=held_out, user=user)
    worse = None if rejected is None else Message(role="assistant", content=rejected)
    said = dataclasses.replace(new.conversation, model_version=version, feedback=feedback, rejected=worse)
    return dataclasses.replace(new, conversation=said)


def opinion(
    offset: int,
    conversation_id: str,
    *,
    correction: str | None = None,
    thumb: str | None = None,
    after: timedelta = timedelta(hours=1),
    user: str | None = None,
    at: datetime = NOW,
) -> NewFeedback:
    """Feedback that came ``after`` so long."""
    given = Feedback(correction=correction, thumb="up" if thumb == "up" else "down" if thumb else None)
    return NewFeedback(
        conversation_id=conversation_id,
        at=Coordinates(topic=TOPIC, partition=0, offset=offset),
        when=at + after,
        feedback=given,
        user_hash=user,
        conversation_hash=f"hash of {conversation_id}",
    )
