"""Indexes for what operators look at, so that no command reads all runs, promotions or conversations.

Revision: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes."""
    op.create_index("runs_by_start", "runs", ["started_at", "id"])
    op.create_index("runs_by_state", "runs", ["state", "until_seq"])
    op.create_index("promotions_by_version", "promotions", ["model_line", "number", "position"])
    rated = sa.text("feedback IS NOT NULL")
    op.create_index(
        "conversations_with_feedback",
        "conversations",
        ["version", "at", "feedback"],
        sqlite_where=rated,
        postgresql_where=rated,
    )


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError
