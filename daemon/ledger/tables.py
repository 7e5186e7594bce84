"""Tables of the ledger that belong to the daemon; versions and promotions are the registry's."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData()

# SQLite numbers rows by itself only in an INTEGER primary key.
_Seq = BigInteger().with_variant(Integer, "sqlite")


class UtcTime(TypeDecorator[datetime]):
    """A moment, kept as microseconds since 1970 UTC: equal and ordered alike in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Turn an aware datetime into microseconds."""
        if value is None:
            return None
        whole = value.astimezone(UTC)
        return int(whole.replace(microsecond=0).timestamp()) * 1_000_000 + whole.microsecond

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn microseconds into an aware datetime."""
        if value is None:
            return None
        seconds, micros = divmod(int(value), 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)


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
    Column("updated_at", UtcTime, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("seq", _Seq, primary_key=True, autoincrement=True),
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
    Index("conversations_by_split", "held_out", "seq"),
    Index("conversations_by_text", "text_digest"),
    sqlite_autoincrement=True,
)

feedback = Table(
    "feedback",
    metadata,
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("conversation_id", Text, nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("thumb", String(8)),
    Column("rating", Float),
    Column("correction", Text),
    Column("score", Float),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", _Seq, primary_key=True, autoincrement=True),
    Column("topic", String(249), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("field", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("at", UtcTime, nullable=False),
    Column("published_at", UtcTime, index=True),
    UniqueConstraint("topic", "partition", "offset", name="dead_letters_once"),
)

references = Table(
    "reference_sets",
    metadata,
    Column("id", _Seq, primary_key=True, autoincrement=True),
    Column("version", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("after_seq", BigInteger, nullable=False),
    Column("first_seq", BigInteger),
    Column("last_seq", BigInteger),
    Column("created_at", UtcTime, nullable=False),
)

windows = Table(
    "windows",
    metadata,
    Column("number", _Seq, primary_key=True, autoincrement=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("closed_at", UtcTime, nullable=False),
    Column("reference_id", BigInteger, ForeignKey("reference_sets.id")),
    Column("finding", String(16)),
    Column("explanation", JSON),
    Column("judged_at", UtcTime),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("window", BigInteger, ForeignKey("windows.number"), primary_key=True),
    Column("monitor", String(64), primary_key=True),
    Column("finding", String(16), nullable=False),
    Column("score", Float),
    Column("threshold", Float),
    Column("reason", Text, nullable=False),
    Column("numbers", JSON, nullable=False),
    Column("triggers", Boolean, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", _Seq, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("trigger", String(16)),
    Column("action", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("since_seq", BigInteger, nullable=False),
    Column("window", BigInteger, ForeignKey("windows.number")),
    Column("requested_by", Text),
)

train_requests = Table(
    "train_requests",
    metadata,
    Column("id", _Seq, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("taken_at", UtcTime),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("decision_id", BigInteger, ForeignKey("decisions.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("request", JSON, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("since_seq", BigInteger, nullable=False),
    Column("until_seq", BigInteger, nullable=False),
    Column("ended_at", UtcTime),
    Column("progress", JSON),
    Column("result", JSON),
    Column("error", Text),
)

#: Loss of a version on a held-out conversation, so that nothing is scored twice.
scores = Table(
    "scores",
    metadata,
    Column("version", Text, primary_key=True),
    Column("seq", BigInteger, ForeignKey("conversations.seq"), primary_key=True),
    Column("nll", Float, nullable=False),
    Column("tokens", Integer, nullable=False),
)
