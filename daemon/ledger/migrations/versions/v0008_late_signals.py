"""Late signals in the order of their arrival: opinions, and losses of the live version.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables, and number the stored opinions."""
    op.create_table(
        "opinions",
        sa.Column("number", _SEQ, primary_key=True, autoincrement=True),
        sa.Column("seq", sa.BigInteger(), sa.ForeignKey("conversations.seq"), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "losses",
        sa.Column("number", _SEQ, primary_key=True, autoincrement=True),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.ForeignKey("conversations.seq"), nullable=False),
        sa.UniqueConstraint("version", "seq", name="losses_once"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_losses_seq"), "losses", ["seq"])
    op.execute(_NUMBER_STORED_OPINIONS)


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError


#: Numbers opinions in the order of their conversations, which is nearly that of their arrival. For feedback inside a
#: conversation only the score is stored, not its kind; the best and the worst score are taken for thumbs.
_NUMBER_STORED_OPINIONS = """
INSERT INTO opinions (seq, kind, score)
SELECT seq,
    CASE
        WHEN feedback NOT IN (1.0, -1.0) OR EXISTS (
            SELECT 1 FROM feedback WHERE feedback.conversation_id = conversations.conversation_id AND rating IS NOT NULL
        ) THEN 'rating'
        ELSE 'thumb'
    END,
    feedback
FROM conversations WHERE feedback IS NOT NULL ORDER BY seq
"""
