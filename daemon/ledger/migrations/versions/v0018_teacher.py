"""Calls of a teacher, and its answers.

Revision: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "teacher_answers",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger()),
        sa.Column("digest", sa.String(64)),
        sa.Column("answer", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("input_tokens", sa.Integer()),
        sa.Column("output_tokens", sa.Integer()),
        sa.Column("cost", sa.Float(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("teacher_answers_by_seq", "teacher_answers", ["seq"])
    op.create_index("teacher_answers_by_digest", "teacher_answers", ["digest"])
    op.create_index("teacher_answers_by_time", "teacher_answers", ["at", "outcome", "cost"])


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError
