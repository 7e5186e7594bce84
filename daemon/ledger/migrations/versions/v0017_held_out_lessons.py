"""Scores of held-out lessons, and what both versions of a gate answered.

Revision: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables. Scores of earlier gates are of whole conversations, and are not used."""
    op.create_table(
        "lesson_scores",
        sa.Column("version", sa.Text(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), sa.ForeignKey("conversations.seq"), primary_key=True),
        sa.Column("part", sa.String(16), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("nll", sa.Float(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
    )
    op.create_table(
        "gate_answers",
        sa.Column("version", sa.Text(), primary_key=True),
        sa.Column("look", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger(), sa.ForeignKey("conversations.seq"), nullable=False, index=True),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("good", sa.Text()),
        sa.Column("live", sa.Text(), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("live_failed", sa.JSON(), nullable=False),
        sa.Column("candidate_failed", sa.JSON(), nullable=False),
        sa.Column("live_f1", sa.Float()),
        sa.Column("candidate_f1", sa.Float()),
    )


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError
