"""Tables of drift detection: references, windows, verdicts, detectors, alarms and triages."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from daemon.ledger.tables.types import RowNumber, UtcTime, metadata

references = Table(
    "reference_sets",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("version", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("after_seq", BigInteger, nullable=False),
    Column("first_seq", BigInteger),
    Column("last_seq", BigInteger),
    Column("created_at", UtcTime, nullable=False),
    Column("hash_until", String(64)),  # conversations of the range with at most this hash belong to it
    Column("since", UtcTime),  # time of its conversations, without a hundredth at either end
    Column("until", UtcTime),
    Column("cause", String(16)),
    Column("by", Text),
    Column("why", Text),
)

#: Freezes of the reference. While one is open, only an operator changes the reference.
freezes = Table(
    "reference_freezes",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("ended_at", UtcTime),
    Column("ended_by", Text),
    Column("ended_why", Text),
)

windows = Table(
    "windows",
    metadata,
    Column("number", RowNumber, primary_key=True, autoincrement=False),
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

#: The report of each window with drift.
reports = Table(
    "reports",
    metadata,
    Column("window", BigInteger, ForeignKey("windows.number"), primary_key=True, autoincrement=False),
    Column("made_at", UtcTime, nullable=False),
    Column("conversations", Integer, nullable=False),  # number of conversations that it was made of
    Column("html", LargeBinary, nullable=False),  # compressed by gzip
)

#: The state of each reference's sequential detector.
detectors = Table(
    "detectors",
    metadata,
    Column(
        "reference_id", BigInteger, ForeignKey("reference_sets.id"), primary_key=True, autoincrement=False
    ),
    Column("seq", BigInteger, nullable=False),  # the newest conversation that it has processed
    Column("state", JSON, nullable=False),
    Column("at", UtcTime, nullable=False),
)

#: The alarms that sequential detectors raised.
alarms = Table(
    "alarms",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("reference_id", BigInteger, ForeignKey("reference_sets.id"), nullable=False),
    Column("seq", BigInteger, nullable=False, index=True),  # the conversation that raised it
    Column("since_seq", BigInteger, nullable=False),  # where the change began, by the detector's estimate
    Column("evidence", JSON, nullable=False),  # by aspect: how many times as likely as without a change
    Column("at", UtcTime, nullable=False),
)

#: Whether confirmed changes hurt, and what to do about them.
triages = Table(
    "triages",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("window", BigInteger, ForeignKey("windows.number"), nullable=False, unique=True),  # of the alarm
    Column("reference_id", BigInteger, ForeignKey("reference_sets.id"), nullable=False),
    Column("since_seq", BigInteger, nullable=False),  # where the change began, by the detector's estimate
    Column("version", Text, nullable=False),  # the live version
    Column("outcome", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("numbers", JSON, nullable=False),
    Column("examples", JSON),  # ids of conversations
    Column("at", UtcTime, nullable=False),
    Column("decision_id", BigInteger, ForeignKey("decisions.id")),  # the last decision based on it
)
