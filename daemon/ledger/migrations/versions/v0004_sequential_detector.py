"""The state of sequential detectors, and the alarms that they raised.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

from daemon.ledger import tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "detectors",
        sa.Column(
            "reference_id",
            sa.BigInteger(),
            sa.ForeignKey("reference_sets.id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("at", tables.UtcTime(), nullable=False),
    )
    op.create_table(
        "alarms",
        sa.Column("id", _SEQ, primary_key=True, autoincrement=True),
        sa.Column("reference_id", sa.BigInteger(), sa.ForeignKey("reference_sets.id"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("since_seq", sa.BigInteger(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("at", tables.UtcTime(), nullable=False),
    )
    op.create_index(op.f("ix_alarms_seq"), "alarms", ["seq"])


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError
