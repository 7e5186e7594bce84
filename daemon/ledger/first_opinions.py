"""Numbers what users first thought of conversations: the order in which a detector hears it."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, select

from daemon.conversation import Feedback
from daemon.facts import NewConversation
from daemon.ledger.database import insert_or_ignore
from daemon.ledger.membership import among
from daemon.ledger.tables import conversations, feedback, opinions

#: Which of several opinions on a conversation counts: not by offset, as they may be sent again.
NEWEST_FIRST = (feedback.c.at.desc(), feedback.c.digest.desc())


def note_first_opinions(
    connection: Connection, kept: Iterable[NewConversation], named: Collection[str]
) -> None:
    """Number the opinions of a batch, once each conversation has its feedback; one on which there is one keeps it.

    ``kept`` are the batch's conversations, ``named`` those that feedback of its own names, whenever it came.
    """
    talks = (talk.conversation for talk in kept)
    said = {talk.conversation_id: talk.feedback for talk in talks if talk.feedback is not None}
    said |= _newest(connection, named)
    if not said:
        return
    columns = (conversations.c.seq, conversations.c.conversation_id)
    there = among(connection, conversations.c.conversation_id, said)
    rows = [
        {"seq": seq, "kind": said[id_].kind, "score": said[id_].score}
        for seq, id_ in connection.execute(select(*columns).where(there).order_by(conversations.c.seq))
    ]
    if rows:
        connection.execute(insert_or_ignore(connection, opinions), rows)


def _newest(connection: Connection, named: Collection[str]) -> dict[str, Feedback]:
    """Return the newest feedback on each of these conversations."""
    if not named:
        return {}
    said = feedback.c
    columns = (said.conversation_id, said.thumb, said.rating, said.correction)
    query = select(*columns).where(among(connection, said.conversation_id, named)).order_by(*NEWEST_FIRST)
    found: dict[str, Feedback] = {}
    for id_, thumb, rating, correction in connection.execute(query):
        found.setdefault(id_, Feedback(thumb=thumb, rating=rating, correction=correction))
    return found
