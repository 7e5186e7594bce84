"""Turns the questions of the launch into records of the stream. Pure."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime

from daemon.demo.launch.asks import Ask
from daemon.domain.conversation import Conversation, Feedback, FeedbackRecord, Message, Record

#: Questions that arrive before a user's thumb, and before support's correction.
_THUMB_AFTER, _CORRECTION_AFTER = (1, 5), (5, 20)


def records_of(
    asks: Sequence[Ask], answers: Mapping[str, str], *, version: str, at: datetime, seed: int
) -> tuple[Record, ...]:
    """Return the conversations, with opinions and corrections between them as they would arrive.

    ``answers`` are those of ``version``, by the text of the question.
    """
    draw = random.Random(f"opinions {seed}")  # noqa: S311 - not a secret
    placed: list[tuple[int, int, Record]] = []
    for place, ask in enumerate(asks):
        placed.append((place, 0, conversation_of(ask, answers, version=version, at=at)))
        if ask.disliked:
            thumb = Feedback(thumb="down")
            placed.append((place + draw.randint(*_THUMB_AFTER), 1, _opinion(ask, thumb, at)))
        if ask.corrected:
            correction = Feedback(correction=ask.wording.fact.answer)
            placed.append((place + draw.randint(*_CORRECTION_AFTER), 2, _opinion(ask, correction, at)))
    return tuple(record for _, _, record in sorted(placed, key=lambda item: item[:2]))


def conversation_of(
    ask: Ask, answers: Mapping[str, str], *, version: str, at: datetime, feedback: Feedback | None = None
) -> Conversation:
    """Return the question with the version's answer."""
    return Conversation(
        conversation_id=ask.conversation_id,
        at=at,
        user_id=ask.user_id,
        model_version=version,
        messages=(
            Message(role="user", content=ask.wording.text),
            Message(role="assistant", content=answers[ask.wording.text]),
        ),
        feedback=feedback,
        metadata={"domain": "settings"},
    )


def _opinion(ask: Ask, feedback: Feedback, at: datetime) -> FeedbackRecord:
    return FeedbackRecord(conversation_id=ask.conversation_id, at=at, feedback=feedback, user_id=ask.user_id)
