"""Deleted conversations, and the indexes that retention and the limit on bursts read.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add a table and indexes."""
    op.create_table(
        "past_conversations",
        sa.Column("id", _SEQ, primary_key=True, autoincrement=True),
        sa.Column("conversation_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("text_digest", sa.String(64)),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_past_conversations_text_digest"), "past_conversations", ["text_digest"])
    op.create_index("conversations_by_user", "conversations", ["user_hash", "at"])
    op.drop_index("conversations_by_split", "conversations")
    op.create_index("conversations_by_split", "conversations", ["held_out", "seq", "conversation_hash"])
    op.create_index(op.f("ix_feedback_received_at"), "feedback", ["received_at"])


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError
