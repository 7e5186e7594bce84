"""Finds the rows that feedback is about: it may name a turn, by its record's id, or a whole conversation."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, select, update

from daemon.domain.records import NewConversation, NewFeedback
from daemon.ledger.database import insert_or_ignore
from daemon.ledger.known_turns import KnownRow, newest_in_sessions
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, feedback, other_names, turns
from daemon.ledger.threads import Recognised, grown_from


def name_rows(connection: Connection, opinions: Sequence[NewFeedback]) -> list[NewFeedback]:
    """Return feedback with the ids of the rows that it is about; feedback that came first keeps its own.

    The id of a record stands for the row that holds its last turn; that of a conversation for the newest row
    with an answer.
    """
    if not opinions:
        return []
    by_id = _newest_with_id(connection, {new.conversation_id for new in opinions})
    hashes = {
        new.conversation_hash
        for new in opinions
        if new.conversation_id not in by_id and new.conversation_hash
    }
    by_hash = (
        {**_newest_of_session(connection, hashes), **_of_other_name(connection, hashes)} if hashes else {}
    )
    return [
        replace(new, belongs_to=id_)
        if (id_ := by_id.get(new.conversation_id) or by_hash.get(new.conversation_hash)) is not None
        else new
        for new in opinions
    ]


def feedback_in(repeats: Iterable[tuple[NewConversation, KnownRow]]) -> list[NewFeedback]:
    """Return the feedback inside records that bring nothing else. That of one read twice is known."""
    return [
        NewFeedback(
            conversation_id=new.conversation.conversation_id,
            at=new.at,
            when=new.conversation.at,
            feedback=new.conversation.feedback,
            conversation_hash=new.conversation_hash,
            user_hash=new.user_hash,
            belongs_to=row.conversation_id,
        )
        for new, row in repeats
        if new.conversation.feedback and row.conversation_id and row.record_sha256 != new.record_sha256
    ]


def note_repeats(connection: Connection, brought: Recognised) -> list[str]:
    """Store which ids stand for other rows, and give these rows the feedback that waited; return the rows' ids."""
    names = [{"conversation_hash": new.conversation_hash, "seq": row.seq} for new, row in brought.names]
    if names:
        connection.execute(insert_or_ignore(connection, other_names), names)
    for turn in brought.claimed:
        which = (turns.c.seq == turn.row.seq) & (turns.c.turn == turn.number)
        connection.execute(update(turns).where(which).values(claimed=True))
    moves = {new.conversation.conversation_id: row.conversation_id for new, row in brought.names}
    for added in brought.rows:
        session = added.record.conversation.session_id
        if session is not None and any(turn.exchange is not None for turn in added.new.turns):
            moves[session] = added.row.conversation_id
    return _move_waiting(
        connection, {old: row for old, row in moves.items() if row is not None and row != old}
    )


def _move_waiting(connection: Connection, moves: dict[str, str]) -> list[str]:
    """Move the feedback that came before its conversation to the row that it is about."""
    if not moves:
        return []
    id_ = feedback.c.conversation_id
    waiting = set(connection.scalars(select(id_).where(in_values(connection, id_, moves)).distinct()))
    taken = _newest_with_id(connection, waiting) if waiting else {}
    moved = [name for name in waiting if name not in taken]
    for name in moved:
        connection.execute(update(feedback).where(id_ == name).values(conversation_id=moves[name]))
    return [moves[name] for name in moved]


def _newest_with_id(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Return the id of the newest row of each record's id that has rows: an id that comes again with more turns has several."""
    column = conversations.c
    columns = (column.conversation_id, column.seq, column.thread)
    rows = connection.execute(
        select(*columns).where(in_values(connection, column.conversation_id, ids))
    ).all()
    found = {id_: id_ for id_, _, _ in rows}
    threads = {thread or seq for _, seq, thread in rows}
    query = (
        select(column.conversation_id)
        .where(in_values(connection, column.thread, threads))
        .order_by(column.seq)
    )
    for newer in connection.scalars(query) if threads else ():
        if (id_ := grown_from(newer)) in found:
            found[id_] = newer
    return found


def _newest_of_session(connection: Connection, hashes: Iterable[str]) -> dict[str, str]:
    """Return the id of the newest row with an answer of each session, or of its newest row where it has none."""
    named = select(conversations.c.session_hash, conversations.c.conversation_id)
    wanted = set(hashes)
    answered = newest_in_sessions(connection, wanted, answered=True)
    found: dict[str, str] = dict(connection.execute(named.where(answered)).all())
    if others := wanted - found.keys():
        found |= dict(connection.execute(named.where(newest_in_sessions(connection, others))).all())
    return found


def _of_other_name(connection: Connection, hashes: Iterable[str]) -> dict[str, str]:
    joined = other_names.join(conversations, conversations.c.seq == other_names.c.seq)
    query = select(other_names.c.conversation_hash, conversations.c.conversation_id).select_from(joined)
    named = in_values(connection, other_names.c.conversation_hash, hashes)
    return dict(connection.execute(query.where(named)).all())
