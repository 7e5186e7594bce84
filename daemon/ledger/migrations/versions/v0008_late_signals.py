"""What becomes known of conversations late, in the order in which it did: opinions, and the live version's losses.

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
    """Add the tables, and number the opinions that there are."""
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
    op.execute(_KNOWN)


def downgrade() -> None:
    """Not supported: a ledger goes forward only."""
    raise NotImplementedError


#: In the order of their conversations, which is nearly that of their arrival. What came inside a conversation does not
#: say any more whether it was a thumb or a rating; best and worst are taken for thumbs.
_KNOWN = """
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
