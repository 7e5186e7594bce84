"""The time of the first opinion on each conversation.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

from daemon.ledger import tables

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and fill it from the feedback records."""
    op.add_column("opinions", sa.Column("at", tables.UtcTime()))
    op.execute(_FILL_TIMES)


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError


_FILL_TIMES = """
UPDATE opinions SET at = (
    SELECT MIN(feedback.at)
    FROM conversations JOIN feedback ON feedback.conversation_id = conversations.conversation_id
    WHERE conversations.seq = opinions.seq
)
"""
