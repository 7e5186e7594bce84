"""Tables of what the stream brought: conversations, feedback, dead letters, and how far it is read."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from daemon.ledger.tables.types import RowNumber, UtcTime, metadata

#: Facts that must never change under a ledger: the model line, the fingerprint of the holdout key.
identity = Table(
    "identity", metadata, Column("name", String(64), primary_key=True), Column("value", Text, nullable=False)
)

positions = Table(
    "positions",
    metadata,
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column(
        "topic_id", String(64)
    ),  # the topic's own id, where the broker has one: another id is another topic
    Column("updated_at", UtcTime, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("seq", RowNumber, primary_key=True, autoincrement=True),
    Column("conversation_id", Text, nullable=False, unique=True),
    Column("topic", String(249), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("user_hash", String(64)),
    Column("group_key", String(64), nullable=False),
    Column("held_out", Boolean, nullable=False),
    Column("version", Text),
    Column("messages", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("feedback", Float),
    Column("text_digest", String(64), nullable=False),
    Column("record_sha256", String(64), nullable=False),
    Column("conversation_hash", String(64), nullable=False),  # keyed hash of the id
    Column("source", Text),  # who produced it: tenant, channel, application
    Column("sketch", LargeBinary),  # MinHash of its words
    # With all that retention asks for, so that it reads no row that it keeps.
    Index("conversations_by_split", "held_out", "seq", "conversation_hash"),
    Index("conversations_by_text", "text_digest"),
    Index("conversations_by_user", "user_hash", "at"),
    sqlite_autoincrement=True,
)

#: Conversations that the ledger no longer holds: should their records come again, they are not counted twice.
past_conversations = Table(
    "past_conversations",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),  # in the order in which they went
    Column("conversation_hash", String(64), nullable=False, unique=True),
    Column("text_digest", String(64), index=True),  # of those that may have been learned from
    sqlite_autoincrement=True,
)

feedback = Table(
    "feedback",
    metadata,
    Column("digest", String(64), primary_key=True),  # of what was said about which conversation and when
    Column("topic", String(249), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("conversation_id", Text, nullable=False, index=True),
    Column("user_hash", String(64)),
    Column("at", UtcTime, nullable=False),
    Column("received_at", UtcTime, nullable=False, index=True),
    Column("thumb", String(8)),
    Column("rating", Float),
    Column("correction", Text),
    Column("score", Float),
)

#: What users first thought of conversations, in the order in which the ledger had both.
opinions = Table(
    "opinions",
    metadata,
    Column("number", RowNumber, primary_key=True, autoincrement=True),
    Column("seq", BigInteger, ForeignKey("conversations.seq"), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),  # thumb, rating or correction
    Column("score", Float, nullable=False),
    Column("at", UtcTime),  # when the first was given; None: an older release did not note it
    sqlite_autoincrement=True,
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("topic", String(249), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("field", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),  # empty where only the digest is kept
    Column("digest", String(64)),  # sha256 of the value
    Column("size", Integer, nullable=False),  # bytes of the value
    Column("at", UtcTime, nullable=False),
    Column("published_at", UtcTime, index=True),
    Column("requeued_at", UtcTime),
)
