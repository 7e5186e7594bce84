"""Tables of the leader's lease, halts of intake, and erasures."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, String, Table, Text

from daemon.ledger.tables.types import RowNumber, UtcTime, metadata

#: Name of the only lease: that of the replica that decides, trains and promotes.
LEADER = "leader"

#: The leader's lease. Every takeover raises the fencing token, ``fence``.
lease = Table(
    "lease",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", Text),  # empty: free
    Column("fence", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),  # raised by each renewal
)

#: Halts of intake. One without ``cleared_at`` is open until an operator clears it.
halts = Table(
    "halts",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("topic", String(249)),
    Column("partition", Integer),
    Column("at", UtcTime, nullable=False),
    Column("cleared_at", UtcTime),
    Column("cleared_by", Text),
    Column("why", Text),
)

#: Offsets that an operator set.
offset_changes = Table(
    "offset_changes",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("topic", String(249), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("before", BigInteger),
    Column("after", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
)

#: The log of erasures. Each entry has the digest of the one before.
erasures = Table(
    "erasures",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),  # user or conversation
    Column("subject", String(64), nullable=False),  # keyed hash
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("removed", JSON, nullable=False),  # counts by what was removed
    Column("previous_digest", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)

#: Erased users and conversations. Intake drops their records.
tombstones = Table(
    "tombstones",
    metadata,
    Column("subject", String(64), primary_key=True),  # keyed hash of a user or a conversation
    Column("erasure_id", BigInteger, ForeignKey("erasures.id"), nullable=False),
)
