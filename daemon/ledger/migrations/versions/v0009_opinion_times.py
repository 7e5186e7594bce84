"""When users first said what they thought of conversations.

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
    """Add the column, and fill it where feedback that came by itself tells."""
    op.add_column("opinions", sa.Column("at", tables.UtcTime()))
    op.execute(_KNOWN)


def downgrade() -> None:
    """Not supported: a ledger goes forward only."""
    raise NotImplementedError


_KNOWN = """
UPDATE opinions SET at = (
    SELECT MIN(feedback.at)
    FROM conversations JOIN feedback ON feedback.conversation_id = conversations.conversation_id
    WHERE conversations.seq = opinions.seq
)
"""
