"""Numbers the first opinion on each conversation, in the order in which detectors read them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from daemon.domain.conversation import Feedback
from daemon.domain.records import NewConversation
from daemon.ledger.database import insert_or_ignore
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, feedback, opinions

#: Which of several opinions on a conversation counts: not by offset, as they may be sent again.
NEWEST_FIRST = (feedback.c.at.desc(), feedback.c.digest.desc())


def number_first_opinions(
    connection: Connection, kept: Iterable[NewConversation], named: Collection[str]
) -> None:
    """Number the opinions of a batch, once each conversation has its feedback; one on which there is one keeps it.

    ``kept`` are the batch's conversations, ``named`` those that feedback of its own names, whenever it came. Of several
    opinions that come at once the newest counts, and the earliest gives the time; one inside a conversation has its time.
    """
    spoken = (conversation.conversation for conversation in kept)
    said = {
        conversation.conversation_id: _Said(conversation.feedback, conversation.at)
        for conversation in spoken
        if conversation.feedback is not None
    }
    for id_, later in _said_of(connection, named).items():
        within = said.get(id_)
        said[id_] = later if within is None else _Said(later.newest, min(within.first_at, later.first_at))
    if not said:
        return
    columns = (conversations.c.seq, conversations.c.conversation_id)
    there = in_values(connection, conversations.c.conversation_id, said)
    rows = [
        {
            "seq": seq,
            "kind": said[id_].newest.kind,
            "score": said[id_].newest.score,
            "at": said[id_].first_at,
        }
        for seq, id_ in connection.execute(select(*columns).where(there).order_by(conversations.c.seq))
    ]
    if rows:
        connection.execute(insert_or_ignore(connection, opinions), rows)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a user said of a conversation by now."""

    newest: Feedback
    first_at: datetime


def _said_of(connection: Connection, named: Collection[str]) -> dict[str, _Said]:
    """Return what feedback of its own says of each of these conversations."""
    if not named:
        return {}
    said = feedback.c
    columns = (said.conversation_id, said.at, said.thumb, said.rating, said.correction)
    query = select(*columns).where(in_values(connection, said.conversation_id, named)).order_by(*NEWEST_FIRST)
    found: dict[str, _Said] = {}
    for id_, at, thumb, rating, correction in connection.execute(query):
        said_then = Feedback(thumb=thumb, rating=rating, correction=correction)
        found[id_] = _Said(found[id_].newest if id_ in found else said_then, at)
    return found
