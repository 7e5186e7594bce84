"""Inserts conversations, without the column types' conversions, because intake is the hottest path of the ledger."""

from collections.abc import Iterable
from datetime import datetime

import orjson
from sqlalchemy import Connection, column, insert, table
from sqlalchemy.dialects import sqlite

from daemon.domain.conversation import Conversation
from daemon.domain.message_json import message_documents
from daemon.domain.records import NewConversation
from daemon.ledger.tables import conversations, microseconds

_COLUMNS = tuple(column_.name for column_ in conversations.columns if column_.name != "seq")
#: The table without column types, because the values are in the database's own form already.
_INSERT = insert(table(conversations.name, *map(column, _COLUMNS)))
_SQLITE_INSERT = str(_INSERT.compile(dialect=sqlite.dialect()))


def insert_conversations(
    connection: Connection, added: Iterable[NewConversation], received_at: datetime
) -> None:
    """Insert conversations; their seqs rise in this order."""
    received = microseconds(received_at)
    rows = [_row(new, received) for new in added]
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_SQLITE_INSERT, rows)
    else:
        connection.execute(_INSERT, [dict(zip(_COLUMNS, row, strict=True)) for row in rows])


def _row(new: NewConversation, received_at: int) -> tuple[object, ...]:
    """Return a conversation's values in the database's form, in the order of the columns."""
    conversation, at = new.conversation, new.at
    return (
        conversation.conversation_id,
        at.topic,
        at.partition,
        at.offset,
        microseconds(conversation.at),
        received_at,
        new.user_hash,
        new.group,
        new.held_out,
        conversation.model_version,
        orjson.dumps(message_documents(conversation.messages)).decode(),
        orjson.dumps(conversation.metadata).decode(),
        conversation.feedback.score if conversation.feedback else None,
        new.text_digest,
        new.record_sha256,
        new.conversation_hash,
        new.source,
        None,  # sketch: of earlier releases
        _context(conversation),
    )


def _context(conversation: Conversation) -> str | None:
    if not (conversation.tools or conversation.documents):
        return None
    return orjson.dumps({"tools": conversation.tools, "documents": conversation.documents}).decode()
