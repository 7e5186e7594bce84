"""Which held-out conversations a version can be judged on."""

from sqlalchemy import ColumnElement, exists

from daemon.ledger.lesson_scores import LessonPart
from daemon.ledger.tables import conversations, lesson_scores, past_conversations


def judgeable() -> ColumnElement[bool]:
    """Return the condition that a conversation's words may not be known by heart, and that it has a reply to score."""
    return ~_repeats_trainable_text() & ~_has_no_reply()


def _repeats_trainable_text() -> ColumnElement[bool]:
    """Return the condition that an earlier trainable conversation, stored or deleted, has the same words."""
    other = conversations.alias()
    same = other.c.text_digest == conversations.c.text_digest
    stored = exists().where(same & other.c.held_out.is_(False) & (other.c.seq < conversations.c.seq))
    return stored | exists().where(past_conversations.c.text_digest == conversations.c.text_digest)


def _has_no_reply() -> ColumnElement[bool]:
    """Return the condition that scoring found no good answer in a conversation that has tokens."""
    lesson = (lesson_scores.c.seq == conversations.c.seq) & (lesson_scores.c.part == LessonPart.LESSON.value)
    return exists().where(lesson & (lesson_scores.c.tokens == 0))
