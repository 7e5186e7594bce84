"""References that are samples of longer ranges, and their freezes.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

from daemon.ledger import tables

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and the table. Older references have all conversations of their range, and no times."""
    for column in (
        sa.Column("hash_until", sa.String(64)),
        sa.Column("since", tables.UtcTime()),
        sa.Column("until", tables.UtcTime()),
        sa.Column("cause", sa.String(16)),
        sa.Column("by", sa.Text()),
        sa.Column("why", sa.Text()),
    ):
        op.add_column("reference_sets", column)
    op.create_table(
        "reference_freezes",
        sa.Column("id", _SEQ, primary_key=True, autoincrement=True),
        sa.Column("at", tables.UtcTime(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ended_at", tables.UtcTime()),
        sa.Column("ended_by", sa.Text()),
    )


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError
