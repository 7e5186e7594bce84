"""Tables of intake: conversations, feedback, dead letters, and the offsets to continue from."""

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

#: Facts that must never change under a ledger: its id, the model line, the fingerprint of the holdout key.
identity = Table(
    "identity", metadata, Column("name", String(64), primary_key=True), Column("value", Text, nullable=False)
)

positions = Table(
    "positions",
    metadata,
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("topic_id", String(64)),  # id that the broker gave the topic; a topic made anew has another one
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
    Column("source", Text),  # the producer: tenant, channel or application
    Column("sketch", LargeBinary),  # of earlier releases; neither written nor read
    #: {"tools", "documents"} of the request; None where it had neither. Where it differs from that of the conversation
    #: that this one continues, also {"system"}; {"window"}: the turns of history that it had, where it was not all of them;
    #: {"history"}: its earlier turns, where the rows that held them were deleted before.
    Column("context", JSON),
    Column("session_hash", String(64)),  # keyed hash of the session
    Column("thread", BigInteger),  # seq of the conversation that it continues; None where it continues none
    Column("parent_seq", BigInteger),  # of the row that holds the turn before
    #: How many turns of that row come before. FOLLOWS: its history are the rows of its thread that are earlier by time.
    Column("parent_turns", Integer),
    Column("correction", Text),  # the record's own, of its last answer
    Column("corrected_by", String(64)),  # digest of the newest feedback record with a correction
    Column("rejected", JSON(none_as_null=True)),  # an answer that people liked less than the last one
    Column("other_answer", String(16)),  # the best other answer to its last prompt: see OtherAnswer
    Column("answers", Integer),  # how many of its messages are answers to learn; None: one
    Column("answerer", Text),  # name of its last answer, where it has one
    # Has all columns that retention reads, so that it does not read the rows that it keeps.
    Index("conversations_by_split", "held_out", "seq", "conversation_hash", "thread"),
    Index("conversations_by_version", "held_out", "version", "seq"),
    Index("conversations_by_text", "text_digest"),
    Index("conversations_by_user", "user_hash", "at"),
    # Migrations make these of the rows with a thread, a session, feedback or what lessons depend on alone; said here, too,
    # that would load the dialect of PostgreSQL into every command.
    Index("conversations_by_thread", "thread"),
    Index("conversations_by_session", "session_hash"),
    # Has all columns that the feedback on a version is read from.
    Index("conversations_with_feedback", "version", "at", "feedback"),
    # Has all columns that lessons are counted by.
    Index(
        "conversations_judged",
        "held_out",
        "seq",
        "version",
        "feedback",
        "other_answer",
        "answers",
        "answerer",
    ),
    sqlite_autoincrement=True,
)

#: In ``parent_turns``: the row's history are the rows of its thread that are earlier by time.
FOLLOWS = -1

#: The turns that each row brought, by digests that recognise them when they are sent again as history. They outlive the
#: rows that retention deletes.
turns = Table(
    "turns",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("turn", Integer, primary_key=True, autoincrement=False),  # its number in the row, from 1
    Column("digest", BigInteger, nullable=False),  # of this turn and all before it
    Column("owned", BigInteger, nullable=False),  # the same, different for each user or session
    Column("exchange", BigInteger),  # of an answer: of it and of what it answers
    Column("request", BigInteger),  # of system prompt, tools and documents
    Column("held_out", Boolean, nullable=False),
    Column("claimed", Boolean, nullable=False),  # whether a record ended with this turn
    Index("turns_by_digest", "digest", "owned"),
    sqlite_with_rowid=False,
)

#: Ids of records of which other records had brought all turns, so that feedback by these ids finds its row.
other_names = Table(
    "other_names",
    metadata,
    Column("conversation_hash", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

#: Conversations that retention deleted. If their records arrive again, they are not counted twice.
past_conversations = Table(
    "past_conversations",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),  # in the order of their deletion
    Column("conversation_hash", String(64), nullable=False, unique=True),
    Column("text_digest", String(64), index=True),  # only of trainable conversations
    sqlite_autoincrement=True,
)

feedback = Table(
    "feedback",
    metadata,
    Column("digest", String(64), primary_key=True),  # of the feedback, its conversation and its time
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

#: The first opinion on each conversation, numbered in the order in which the ledger had both.
opinions = Table(
    "opinions",
    metadata,
    Column("number", RowNumber, primary_key=True, autoincrement=True),
    Column("seq", BigInteger, ForeignKey("conversations.seq"), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),  # thumb, rating or correction
    Column("score", Float, nullable=False),
    Column("at", UtcTime),  # when the first was given; None: stored by an older release
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
    Column("value", LargeBinary),  # empty if only the digest is kept
    Column("digest", String(64)),  # sha256 of the value
    Column("size", Integer, nullable=False),  # bytes of the value
    Column("at", UtcTime, nullable=False),
    Column("published_at", UtcTime, index=True),
    Column("requeued_at", UtcTime),
)
