"""Numbers the first opinion on each conversation. Detectors read opinions in the order of their numbers."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from daemon.domain.conversation import Feedback
from daemon.domain.records import NewConversation
from daemon.ledger.database import insert_or_ignore
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, feedback, opinions

#: The order of the feedback on a conversation. Offsets do not count, because feedback may be sent again.
NEWEST_FIRST = (feedback.c.at.desc(), feedback.c.digest.desc())


def number_first_opinions(
    connection: Connection, new: Iterable[NewConversation], with_feedback: Collection[str]
) -> None:
    """Number the opinions that a batch brought, after its feedback was joined to the conversations.

    ``new`` are the batch's conversations. ``with_feedback`` are ids of conversations that have feedback records, from this
    batch or earlier ones. A conversation that has a numbered opinion keeps it. If several opinions on a conversation
    arrive at once, the newest one counts, with the time of the earliest. Feedback inside a conversation has the
    conversation's time.
    """
    opinions_by_id = {
        conversation.conversation_id: _Opinion(conversation.feedback, conversation.at)
        for conversation in (one.conversation for one in new)
        if conversation.feedback is not None
    }
    for id_, later in _opinions_in_feedback(connection, with_feedback).items():
        inside = opinions_by_id.get(id_)
        first_at = later.first_at if inside is None else min(inside.first_at, later.first_at)
        opinions_by_id[id_] = _Opinion(later.newest, first_at)
    if not opinions_by_id:
        return
    columns = (conversations.c.seq, conversations.c.conversation_id)
    stored = in_values(connection, conversations.c.conversation_id, opinions_by_id)
    rows = [
        {
            "seq": seq,
            "kind": opinions_by_id[id_].newest.kind,
            "score": opinions_by_id[id_].newest.score,
            "at": opinions_by_id[id_].first_at,
        }
        for seq, id_ in connection.execute(select(*columns).where(stored).order_by(conversations.c.seq))
    ]
    if rows:
        connection.execute(insert_or_ignore(connection, opinions), rows)


@dataclass(frozen=True, slots=True)
class _Opinion:
    """What users have said about a conversation so far."""

    newest: Feedback
    first_at: datetime


def _opinions_in_feedback(connection: Connection, ids: Collection[str]) -> dict[str, _Opinion]:
    """Return the opinions in the feedback records on these conversations, by id."""
    if not ids:
        return {}
    column = feedback.c
    columns = (column.conversation_id, column.at, column.thumb, column.rating, column.correction)
    query = select(*columns).where(in_values(connection, column.conversation_id, ids)).order_by(*NEWEST_FIRST)
    found: dict[str, _Opinion] = {}
    for id_, at, thumb, rating, correction in connection.execute(query):
        newest = (
            found[id_].newest if id_ in found else Feedback(thumb=thumb, rating=rating, correction=correction)
        )
        found[id_] = _Opinion(newest, at)  # at the last row, the earliest time
    return found
