"""Triages: whether confirmed changes hurt, and what to do about them.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

from daemon.ledger import tables

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "triages",
        sa.Column("id", _SEQ, primary_key=True, autoincrement=True),
        sa.Column("window", sa.BigInteger(), sa.ForeignKey("windows.number"), nullable=False, unique=True),
        sa.Column("reference_id", sa.BigInteger(), sa.ForeignKey("reference_sets.id"), nullable=False),
        sa.Column("since_seq", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.Column("examples", sa.JSON()),
        sa.Column("at", tables.UtcTime(), nullable=False),
        sa.Column("decision_id", sa.BigInteger(), sa.ForeignKey("decisions.id")),
    )


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError
