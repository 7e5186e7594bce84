"""One index of the digests of turns instead of two, as each record that is stored adds to it.

Revision: 0016
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the indexes."""
    op.drop_index("turns_of_owners", "turns")
    op.drop_index(op.f("ix_turns_owned"), "turns")
    op.create_index("turns_by_digest", "turns", ["digest", "owned"])


def downgrade() -> None:
    """Not supported: a ledger can't return to an older schema."""
    raise NotImplementedError
