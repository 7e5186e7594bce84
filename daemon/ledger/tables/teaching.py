"""The table of what a teacher was asked."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table, Text

from daemon.ledger.tables.types import RowNumber, UtcTime, metadata

#: Calls of the teacher, with what came of each. They are written before the call begins, so that the budget of a day counts
#: those that a dying process left behind, and they stay, without their texts, when conversations go.
teacher_answers = Table(
    "teacher_answers",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("purpose", String(16), nullable=False),  # see TeacherPurpose
    Column("outcome", String(32), nullable=False),  # see TeacherOutcome
    Column("model", Text, nullable=False),
    Column(
        "seq", BigInteger
    ),  # of the conversation whose prompt it is; None: it is gone, or it was about none
    Column("digest", String(64)),  # of the question; None: it was erased
    Column("answer", Text),  # redacted
    Column("reason", Text),  # why there is no answer
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("cost", Float, nullable=False),  # of a call that nobody knows the cost of, the most that it can be
    Index("teacher_answers_by_seq", "seq"),
    Index("teacher_answers_by_digest", "digest"),
    Index("teacher_answers_by_time", "at", "outcome", "cost"),
    sqlite_autoincrement=True,
)
