"""Reports of windows.

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

from daemon.ledger import tables

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "reports",
        sa.Column(
            "window",
            sa.BigInteger(),
            sa.ForeignKey("windows.number"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("made_at", tables.UtcTime(), nullable=False),
        sa.Column("conversations", sa.Integer(), nullable=False),
        sa.Column("html", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError
