"""Why a run did not learn from some of its training records.

Revision: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Records of earlier runs count as learned."""
    op.add_column("training_records", sa.Column("skipped", sa.Text(), nullable=True))


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError
