"""Turns conversations into rows: the hottest part of the ledger, and so without the types' own conversions."""

from datetime import datetime

import orjson
from sqlalchemy import column, insert, table

from daemon.facts import NewConversation
from daemon.ledger.tables import conversations, microseconds

#: The same table, its columns without types: what is inserted is in the database's own form already.
ADD_CONVERSATION = insert(
    table(conversations.name, *(column(kept.name) for kept in conversations.columns if kept.name != "seq"))
)


def conversation_row(new: NewConversation, received_at: datetime) -> dict[str, object]:
    """Return the row to insert, its values as the database keeps them."""
    talk = new.conversation
    return {
        "conversation_id": talk.conversation_id,
        "topic": new.at.topic,
        "partition": new.at.partition,
        "offset": new.at.offset,
        "at": microseconds(talk.at),
        "received_at": microseconds(received_at),
        "user_hash": new.user_hash,
        "group_key": new.group,
        "held_out": new.held_out,
        "version": talk.model_version,
        "messages": orjson.dumps(talk.messages).decode(),
        "metadata": orjson.dumps(talk.metadata).decode(),
        "feedback": talk.feedback.score if talk.feedback else None,
        "text_digest": new.text_digest,
        "record_sha256": new.record_sha256,
        "conversation_hash": new.conversation_hash,
        "source": new.source,
        "sketch": new.sketch,
    }
