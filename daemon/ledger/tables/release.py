"""Tables of the gate: losses of versions on held-out lessons, and what both versions answered."""

from sqlalchemy import JSON, BigInteger, Column, Float, ForeignKey, Integer, String, Table, Text

from daemon.ledger.tables.types import metadata

#: The score of each version on what a held-out conversation teaches, so that none is computed twice.
lesson_scores = Table(
    "lesson_scores",
    metadata,
    Column("version", Text, primary_key=True),
    Column("seq", BigInteger, ForeignKey("conversations.seq"), primary_key=True),
    Column("part", String(16), primary_key=True),  # see LessonPart
    Column("digest", String(64), nullable=False),  # of the text that was scored
    Column("nll", Float, nullable=False),
    Column("tokens", Integer, nullable=False),
)

#: What the live version and a candidate answered to held-out prompts, in the order in which they were asked.
gate_answers = Table(
    "gate_answers",
    metadata,
    Column("version", Text, primary_key=True),  # the candidate
    Column("look", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("seq", BigInteger, ForeignKey("conversations.seq"), nullable=False, index=True),
    Column("question", Text, nullable=False),
    Column("good", Text),
    Column("live", Text, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("live_failed", JSON, nullable=False),
    Column("candidate_failed", JSON, nullable=False),
    Column("live_f1", Float),
    Column("candidate_f1", Float),
)
