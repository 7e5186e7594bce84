"""What lessons depend on: corrections, rejected answers, and which lesson a run took from a record.

Revision: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_COUNTED = ["held_out", "seq", "version", "feedback", "other_answer", "answers", "answerer"]


def upgrade() -> None:
    """Add the columns, and name for each row the newest correction that came after it."""
    for column in (
        sa.Column("correction", sa.Text()),
        sa.Column("corrected_by", sa.String(64)),
        sa.Column("rejected", sa.JSON()),
        sa.Column("other_answer", sa.String(16)),
        sa.Column("answers", sa.Integer()),
        sa.Column("answerer", sa.Text()),
    ):
        op.add_column("conversations", column)
    op.add_column("training_records", sa.Column("lesson", sa.JSON()))
    op.execute(
        "UPDATE conversations SET other_answer = 'correction', corrected_by = ("
        "SELECT digest FROM feedback WHERE feedback.conversation_id = conversations.conversation_id "
        "AND correction IS NOT NULL ORDER BY at DESC, digest DESC LIMIT 1) "
        "WHERE conversation_id IN (SELECT conversation_id FROM feedback WHERE correction IS NOT NULL)"
    )
    op.create_index("conversations_by_version", "conversations", ["held_out", "version", "seq"])
    judged = sa.text(" OR ".join(f"{name} IS NOT NULL" for name in _COUNTED[3:]))
    op.create_index(
        "conversations_judged", "conversations", _COUNTED, sqlite_where=judged, postgresql_where=judged
    )


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError
