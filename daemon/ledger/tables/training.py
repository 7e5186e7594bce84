"""Tables of training: decisions, requests, runs, and losses of versions."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from daemon.ledger.tables.types import RowNumber, UtcTime, metadata

decisions = Table(
    "decisions",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
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
    Column("id", RowNumber, primary_key=True, autoincrement=True),
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
    # Requests and results can be large, so what looks for one run reads an index rather than all runs.
    Index("runs_by_start", "started_at", "id"),
    Index("runs_by_state", "state", "until_seq"),
)

#: The scores of live versions on conversations that were drawn to estimate their loss.
scores = Table(
    "scores",
    metadata,
    Column("version", Text, primary_key=True),
    Column("seq", BigInteger, ForeignKey("conversations.seq"), primary_key=True),
    Column("nll", Float, nullable=False),
    Column("tokens", Integer, nullable=False),
)

#: Conversations that were drawn to estimate the live version's loss, in the order in which they were scored.
losses = Table(
    "losses",
    metadata,
    Column("number", RowNumber, primary_key=True, autoincrement=True),
    Column("version", Text, nullable=False),
    Column("seq", BigInteger, ForeignKey("conversations.seq"), nullable=False, index=True),
    UniqueConstraint("version", "seq", name="losses_once"),
    sqlite_autoincrement=True,
)

#: The records of each run's training file, in its order.
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
    Column("line", Integer),  # of the training file, from 0; empty: the record's position
    Column("continues", Boolean),  # whether the line holds turns of other records, too; empty: no
    Column(
        "unlearned", JSON(none_as_null=True)
    ),  # indexes of the answers among its messages that are no targets
    Column("skipped", Text),  # why the run did not learn from it; empty if it did
    Column("lesson", JSON(none_as_null=True)),  # see TrainingRecord; empty: its answers were imitated
)
