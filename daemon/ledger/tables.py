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


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970 UTC, exactly."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


class UtcTime(TypeDecorator[datetime]):
    """A moment, kept as microseconds since 1970 UTC: equal and ordered alike in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Turn an aware datetime into microseconds."""
        return None if value is None else microseconds(value)

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
    Column(
        "topic_id", String(64)
    ),  # the topic's own id, where the broker has one: another id is another topic
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
    Column("id", _Seq, primary_key=True, autoincrement=True),  # in the order in which they went
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
    Column("number", _Seq, primary_key=True, autoincrement=True),
    Column("seq", BigInteger, ForeignKey("conversations.seq"), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),  # thumb, rating or correction
    Column("score", Float, nullable=False),
    Column("at", UtcTime),  # when the first was given; None: an older release did not note it
    sqlite_autoincrement=True,
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
    Column("value", LargeBinary),  # empty where only the digest is kept
    Column("digest", String(64)),  # sha256 of the value
    Column("size", Integer, nullable=False),  # bytes of the value
    Column("at", UtcTime, nullable=False),
    Column("published_at", UtcTime, index=True),
    Column("requeued_at", UtcTime),
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
    Column("hash_until", String(64)),  # of the range, conversations with a smaller hash or this one
    Column("since", UtcTime),  # when they took place, but for a hundredth of them at either end
    Column("until", UtcTime),
    Column("cause", String(16)),
    Column("by", Text),
    Column("why", Text),
)

#: While one is open, nobody but an operator changes the reference.
freezes = Table(
    "reference_freezes",
    metadata,
    Column("id", _Seq, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("ended_at", UtcTime),
    Column("ended_by", Text),
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

#: What people read of a window in which something changed.
reports = Table(
    "reports",
    metadata,
    Column("window", BigInteger, ForeignKey("windows.number"), primary_key=True, autoincrement=False),
    Column("made_at", UtcTime, nullable=False),
    Column("conversations", Integer, nullable=False),  # that it was made of
    Column("html", LargeBinary, nullable=False),  # compressed by gzip
)

#: Where the sequential detector of a reference stands.
detectors = Table(
    "detectors",
    metadata,
    Column(
        "reference_id", BigInteger, ForeignKey("reference_sets.id"), primary_key=True, autoincrement=False
    ),
    Column("seq", BigInteger, nullable=False),  # the newest conversation that it has seen
    Column("state", JSON, nullable=False),
    Column("at", UtcTime, nullable=False),
)

#: What the sequential detector raised.
alarms = Table(
    "alarms",
    metadata,
    Column("id", _Seq, primary_key=True, autoincrement=True),
    Column("reference_id", BigInteger, ForeignKey("reference_sets.id"), nullable=False),
    Column("seq", BigInteger, nullable=False, index=True),  # the conversation that raised it
    Column("since_seq", BigInteger, nullable=False),  # about where the change is
    Column("evidence", JSON, nullable=False),  # by aspect: how many times as likely as with no change
    Column("at", UtcTime, nullable=False),
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

#: Whether a confirmed change hurts, and what is to be done about it.
triages = Table(
    "triages",
    metadata,
    Column("id", _Seq, primary_key=True, autoincrement=True),
    Column("window", BigInteger, ForeignKey("windows.number"), nullable=False, unique=True),  # of the alarm
    Column("reference_id", BigInteger, ForeignKey("reference_sets.id"), nullable=False),
    Column("since_seq", BigInteger, nullable=False),  # about where the change is
    Column("version", Text, nullable=False),  # that was live
    Column("outcome", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("numbers", JSON, nullable=False),
    Column("examples", JSON),  # ids of conversations
    Column("at", UtcTime, nullable=False),
    Column("decision_id", BigInteger, ForeignKey("decisions.id")),  # the last that took it into account
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

#: Loss of a version on a conversation, so that nothing is scored twice.
scores = Table(
    "scores",
    metadata,
    Column("version", Text, primary_key=True),
    Column("seq", BigInteger, ForeignKey("conversations.seq"), primary_key=True),
    Column("nll", Float, nullable=False),
    Column("tokens", Integer, nullable=False),
)

#: Conversations that were drawn to tell the live version's loss by, in the order in which they were scored.
losses = Table(
    "losses",
    metadata,
    Column("number", _Seq, primary_key=True, autoincrement=True),
    Column("version", Text, nullable=False),
    Column("seq", BigInteger, ForeignKey("conversations.seq"), nullable=False, index=True),
    UniqueConstraint("version", "seq", name="losses_once"),
    sqlite_autoincrement=True,
)

#: What each run learned from, in the order of its training file.
training_records = Table(
    "training_records",
    metadata,
    Column("run", Text, ForeignKey("runs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("topic", String(249), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("sha256", String(64)),  # of the record; empty once it is erased
    Column("origin", String(16), nullable=False),  # new or replay
    Column("group_key", String(64), nullable=False, index=True),
    Column("conversation_hash", String(64), nullable=False, index=True),
    Column("erased", Boolean, nullable=False),
)

#: Who decides, trains and promotes. Every change of hands raises the fencing number.
#: The one lease there is: of the replica that decides, trains and promotes.
LEADER = "leader"

lease = Table(
    "lease",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", Text),  # empty: free
    Column("fence", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),  # raised by each renewal
)

#: Why intake does not go on by itself, until an operator clears it.
halts = Table(
    "halts",
    metadata,
    Column("id", _Seq, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("topic", String(249)),
    Column("partition", Integer),
    Column("at", UtcTime, nullable=False),
    Column("cleared_at", UtcTime),
    Column("cleared_by", Text),
    Column("why", Text),
)

#: Offsets that an operator set.
offset_changes = Table(
    "offset_changes",
    metadata,
    Column("id", _Seq, primary_key=True, autoincrement=True),
    Column("topic", String(249), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("before", BigInteger),
    Column("after", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
)

#: The log of what was forgotten; each entry has the digest of the one before.
erasures = Table(
    "erasures",
    metadata,
    Column("id", _Seq, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),  # user or conversation
    Column("subject", String(64), nullable=False),  # keyed hash
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("removed", JSON, nullable=False),  # counts by what was removed
    Column("previous_digest", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)

#: Records of these users and conversations are dropped when they come again.
tombstones = Table(
    "tombstones",
    metadata,
    Column("subject", String(64), primary_key=True),  # keyed hash of a user or a conversation
    Column("erasure_id", BigInteger, ForeignKey("erasures.id"), nullable=False),
)
