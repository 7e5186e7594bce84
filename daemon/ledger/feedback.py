"""Stores feedback and joins it to conversations, within intake's transaction."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from daemon.domain.records import NewFeedback
from daemon.ledger.corrections import join_corrections
from daemon.ledger.database import insert_or_ignore
from daemon.ledger.first_opinions import NEWEST_FIRST
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, feedback


def admitted_feedback(connection: Connection, opinions: Sequence[NewFeedback]) -> list[NewFeedback]:
    """Return the feedback that intake admitted, and the feedback whose conversation is stored."""
    undecided = {new.row_id for new in opinions if not new.admitted}
    if not undecided:
        return list(opinions)
    id_ = conversations.c.conversation_id
    stored = set(connection.scalars(select(id_).where(in_values(connection, id_, undecided))))
    return [new for new in opinions if new.admitted or new.row_id in stored]


def add_feedback(connection: Connection, opinions: Sequence[NewFeedback], received_at: datetime) -> None:
    """Insert feedback. Repeated feedback, equal in conversation, time and content, is ignored."""
    rows = [
        {
            "digest": feedback_digest(new),
            "received_at": received_at,
            "topic": new.at.topic,
            "partition": new.at.partition,
            "offset": new.at.offset,
            "conversation_id": new.row_id,
            "user_hash": new.user_hash,
            "at": new.when,
            "thumb": new.feedback.thumb,
            "rating": new.feedback.rating,
            "correction": new.feedback.correction,
            "score": new.feedback.score,
        }
        for new in opinions
    ]
    if rows:
        connection.execute(insert_or_ignore(connection, feedback), rows)


def feedback_digest(new: NewFeedback) -> str:
    """Return a digest of the feedback, its conversation and its time."""
    given = new.feedback
    facts = (new.conversation_id, new.when.isoformat(), given.thumb, given.rating, given.correction)
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def join_feedback(connection: Connection, ids: Sequence[str]) -> frozenset[str]:
    """Copy the newest feedback into its conversations, and name the newest correction there, in whatever order both arrived.

    Returns those of the ids that have feedback of their own, whether their conversation is stored or not.
    """
    if not ids:
        return frozenset()
    newest = (
        select(feedback.c.score)
        .where(feedback.c.conversation_id == conversations.c.conversation_id)
        .order_by(*NEWEST_FIRST)
        .limit(1)
        .scalar_subquery()
    )
    given = select(feedback.c.conversation_id, feedback.c.correction.is_not(None)).distinct()
    found = connection.execute(given.where(in_values(connection, feedback.c.conversation_id, ids))).all()
    with_feedback = frozenset(id_ for id_, _ in found)
    if with_feedback:
        which = in_values(connection, conversations.c.conversation_id, with_feedback)
        connection.execute(update(conversations).where(which).values(feedback=newest))
    if corrected := {id_ for id_, corrects in found if corrects}:
        join_corrections(connection, corrected)
    return with_feedback
