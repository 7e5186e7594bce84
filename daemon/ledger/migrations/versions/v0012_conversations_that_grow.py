"""Conversations that grow: the turns that each record brought, and what it continues.

Revision: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_SPLIT = "conversations_by_split"


def upgrade() -> None:
    """Add columns and tables. Rows stored before have none of them; intake reads their turns when it needs them."""
    for column in (
        sa.Column("session_hash", sa.String(64), nullable=True),
        sa.Column("thread", sa.BigInteger(), nullable=True),
        sa.Column("parent_seq", sa.BigInteger(), nullable=True),
        sa.Column("parent_turns", sa.Integer(), nullable=True),
    ):
        op.add_column("conversations", column)
    op.drop_index(_SPLIT, "conversations")
    op.create_index(_SPLIT, "conversations", ["held_out", "seq", "conversation_hash", "thread"])
    for name, column_name in (
        ("conversations_by_thread", "thread"),
        ("conversations_by_session", "session_hash"),
    ):
        given = sa.text(f"{column_name} IS NOT NULL")
        op.create_index(name, "conversations", [column_name], sqlite_where=given, postgresql_where=given)
    op.create_table(
        "turns",
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("turn", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("owned", sa.BigInteger(), nullable=False, index=True),
        sa.Column("exchange", sa.BigInteger(), nullable=True),
        sa.Column("request", sa.BigInteger(), nullable=True),
        sa.Column("held_out", sa.Boolean(), nullable=False),
        sa.Column("claimed", sa.Boolean(), nullable=False),
        sqlite_with_rowid=False,
    )
    owned = sa.text("owned <> digest")
    op.create_index("turns_of_owners", "turns", ["digest"], sqlite_where=owned, postgresql_where=owned)
    op.create_table(
        "other_names",
        sa.Column("conversation_hash", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger(), nullable=False, index=True),
        sqlite_with_rowid=False,
    )
    op.add_column("training_records", sa.Column("line", sa.Integer(), nullable=True))
    op.add_column("training_records", sa.Column("continues", sa.Boolean(), nullable=True))
    op.add_column("training_records", sa.Column("unlearned", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError
