"""Inserts conversations, without the column types' conversions, because intake is the hottest path of the ledger."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson
from sqlalchemy import Connection, Table, column, func, insert, select, table
from sqlalchemy import text as sql
from sqlalchemy.dialects import sqlite

from daemon.domain.conversation import JSON, Conversation
from daemon.domain.lesson_counts import other_answer
from daemon.domain.message_json import message_documents
from daemon.domain.turns import owner_of
from daemon.ledger.tables import conversations, microseconds, turns
from daemon.ledger.threads import NewRow


class _FastInsert:
    """An INSERT without column types, because the values are in the database's own form already."""

    def __init__(self, into: Table) -> None:
        self._columns = tuple(one.name for one in into.columns)
        self._insert = insert(table(into.name, *map(column, self._columns)))
        self._sqlite = str(self._insert.compile(dialect=sqlite.dialect()))

    def __call__(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        """Insert rows, whose values are in the order of the columns."""
        if not rows:
            return
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(self._sqlite, list(rows))
        else:
            connection.execute(self._insert, [dict(zip(self._columns, row, strict=True)) for row in rows])


_insert_conversations = _FastInsert(conversations)
_insert_turns = _FastInsert(turns)


def insert_conversations(connection: Connection, added: Sequence[NewRow], received_at: datetime) -> None:
    """Insert rows with their turns; their seqs rise in this order."""
    if not added:
        return
    for one, seq in zip(added, _next_seqs(connection, len(added)), strict=True):
        one.row.seq = seq
        if not one.continues:
            one.row.thread.seq = seq
    received = microseconds(received_at)
    flag = int if connection.dialect.name == "sqlite" else bool  # in SQLite's own form, 1 and 0
    _insert_conversations(connection, [_row(one, received, flag) for one in added])
    _insert_turns(connection, [values for one in added for values in _turn_rows(one, flag)])


def _next_seqs(connection: Connection, count: int) -> list[int]:
    """Return the seqs of the next rows. No other transaction adds conversations meanwhile."""
    if connection.dialect.name == "sqlite":
        last = connection.scalar(sql("SELECT seq FROM sqlite_sequence WHERE name = 'conversations'")) or 0
        return list(range(last + 1, last + 1 + count))
    sequence = func.pg_get_serial_sequence(conversations.name, conversations.c.seq.name)
    numbers = select(func.nextval(sequence)).select_from(func.generate_series(1, count))
    return sorted(connection.scalars(numbers))


def _row(added: NewRow, received_at: int, flag: type[int]) -> tuple[object, ...]:
    """Return a conversation's values in the database's form, in the order of the columns."""
    new = added.new
    conversation, at = new.conversation, new.at
    return (
        added.row.seq,
        conversation.conversation_id,
        at.topic,
        at.partition,
        at.offset,
        microseconds(conversation.at),
        received_at,
        new.user_hash,
        new.group,
        flag(new.held_out),
        conversation.model_version,
        orjson.dumps(message_documents(conversation.messages)).decode(),
        orjson.dumps(conversation.metadata).decode(),
        conversation.feedback.score if conversation.feedback else None,
        new.text_digest,
        new.record_sha256,
        new.conversation_hash,
        new.source,
        None,  # sketch: of earlier releases
        _json(added.context),
        new.session_hash,
        added.row.thread.seq if added.continues else None,
        added.parent.seq if added.parent else None,
        added.parent_turns,
        *_lesson_columns(conversation),
    )


def _lesson_columns(conversation: Conversation) -> tuple[object, ...]:
    """Return the columns from ``correction`` on: what lessons depend on besides version, messages and score."""
    answers = [one for one in conversation.messages if one.role == "assistant" and one.learned]
    rejected = conversation.rejected
    correction = conversation.feedback.correction if conversation.feedback else None
    return (
        correction,
        None,
        None if rejected is None else orjson.dumps(message_documents([rejected])[0]).decode(),
        other_answer(corrected=correction is not None, rejected=rejected is not None),
        None if len(answers) == 1 else len(answers),
        answers[-1].name if answers else None,
    )


def _turn_rows(added: NewRow, flag: type[int]) -> list[tuple[object, ...]]:
    owner = owner_of(added.new.user_hash, added.new.session_hash)
    seq, held_out = added.row.seq, flag(added.new.held_out)
    return [
        (
            seq,
            turn.number,
            turn.digest,
            turn.digest ^ owner,
            turn.exchange,
            turn.request,
            held_out,
            flag(turn.claimed),
        )
        for turn in added.turns
    ]


def _json(context: Mapping[str, JSON] | None) -> str | None:
    return None if context is None else orjson.dumps(context).decode()
