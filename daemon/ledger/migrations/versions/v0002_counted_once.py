"""Topic ids, sketches, training records, the lease, halts, erasure; dead letters and feedback with keys of their own.

Revision: 0002
"""

import hashlib

import sqlalchemy as sa
from alembic import op

from daemon.ledger import tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add columns and tables; move the records of runs into a table of their own."""
    op.add_column("positions", sa.Column("topic_id", sa.String(64)))
    _conversations()
    _dead_letters()
    _feedback()
    _new_tables()
    _training_records()


def _conversations() -> None:
    op.add_column("conversations", sa.Column("source", sa.Text()))
    op.add_column("conversations", sa.Column("sketch", sa.LargeBinary()))
    # The migration has no key, so it can't compute the keyed hash of the id. The group takes its place; where no user is
    # known, it is that hash.
    op.add_column("conversations", sa.Column("conversation_hash", sa.String(64)))
    op.execute("UPDATE conversations SET conversation_hash = group_key")
    with op.batch_alter_table("conversations", table_kwargs={"sqlite_autoincrement": True}) as changed:
        changed.alter_column("conversation_hash", existing_type=sa.String(64), nullable=False)


def _dead_letters() -> None:
    with op.batch_alter_table("dead_letters") as changed:
        changed.drop_constraint("dead_letters_once", type_="unique")
        changed.add_column(sa.Column("digest", sa.String(64)))
        changed.add_column(sa.Column("size", sa.Integer(), nullable=False, server_default="0"))
        changed.add_column(sa.Column("requeued_at", tables.UtcTime()))
    connection = op.get_bind()
    letters = sa.table(
        "dead_letters", sa.column("id"), sa.column("value"), sa.column("digest"), sa.column("size")
    )
    for id_, value in connection.execute(sa.select(letters.c.id, letters.c.value)).all():
        if value is not None:
            values = {"digest": hashlib.sha256(value).hexdigest(), "size": len(value)}
            connection.execute(sa.update(letters).where(letters.c.id == id_).values(**values))
    with op.batch_alter_table("dead_letters") as changed:
        changed.alter_column("size", existing_type=sa.Integer(), nullable=False, server_default=None)


def _feedback() -> None:
    connection = op.get_bind()
    old = sa.table("feedback", *(sa.column(name) for name in (*_COPIED, "topic", "partition", "offset")))
    rows = [dict(row) for row in connection.execute(sa.select(old)).mappings()]
    op.drop_table("feedback")
    op.create_table(
        "feedback",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("topic", sa.String(249), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("user_hash", sa.String(64)),
        sa.Column("at", tables.UtcTime(), nullable=False),
        sa.Column("received_at", tables.UtcTime(), nullable=False),
        sa.Column("thumb", sa.String(8)),
        sa.Column("rating", sa.Float()),
        sa.Column("correction", sa.Text()),
        sa.Column("score", sa.Float()),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index(op.f("ix_feedback_conversation_id"), "feedback", ["conversation_id"], unique=False)
    new = sa.table(
        "feedback",
        *(sa.column(name) for name in (*_COPIED, "topic", "partition", "offset", "digest", "received_at")),
    )
    if rows:
        connection.execute(
            sa.insert(new), [{**row, "digest": _digest(row), "received_at": row["at"]} for row in rows]
        )


_COPIED = ("conversation_id", "at", "thumb", "rating", "correction", "score")


def _digest(row: dict[str, object]) -> str:
    """Return a digest that no later record can have. Equal feedback was counted each time before, and stays."""
    return hashlib.sha256(f"{row['topic']}/{row['partition']}/{row['offset']}".encode()).hexdigest()


def _new_tables() -> None:
    op.create_table(
        "training_records",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(249), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("group_key", sa.String(64), nullable=False),
        sa.Column("conversation_hash", sa.String(64), nullable=False),
        sa.Column("erased", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.PrimaryKeyConstraint("run", "position"),
    )
    for column in ("group_key", "conversation_hash"):
        op.create_index(op.f(f"ix_training_records_{column}"), "training_records", [column], unique=False)
    op.create_table(
        "lease",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("holder", sa.Text()),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "halts",
        sa.Column("id", _SEQ, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("topic", sa.String(249)),
        sa.Column("partition", sa.Integer()),
        sa.Column("at", tables.UtcTime(), nullable=False),
        sa.Column("cleared_at", tables.UtcTime()),
        sa.Column("cleared_by", sa.Text()),
        sa.Column("why", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "offset_changes",
        sa.Column("id", _SEQ, autoincrement=True, nullable=False),
        sa.Column("topic", sa.String(249), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("before", sa.BigInteger()),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("at", tables.UtcTime(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _erasure_tables()


def _erasure_tables() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", _SEQ, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("at", tables.UtcTime(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("removed", sa.JSON(), nullable=False),
        sa.Column("previous_digest", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "tombstones",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("erasure_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasures.id"]),
        sa.PrimaryKeyConstraint("subject"),
    )


def _training_records() -> None:
    """Move the records out of the documents of runs and versions."""
    connection = op.get_bind()
    runs = sa.table("runs", sa.column("id"), sa.column("request", sa.JSON()))
    records = sa.table("training_records", *(sa.column(name) for name in _RECORD_COLUMNS))
    for run, request in connection.execute(sa.select(runs.c.id, runs.c.request)).all():
        dataset = request["dataset"]
        rows = _rows(connection, run, dataset.pop("records", []), new=dataset["new"])
        if rows:
            connection.execute(sa.insert(records), rows)
        connection.execute(sa.update(runs).where(runs.c.id == run).values(request=request))
    versions = sa.table(
        "versions", sa.column("model_line"), sa.column("number"), sa.column("document", sa.JSON())
    )
    for line, number, document in connection.execute(sa.select(versions)).all():
        document["lineage"]["conversations"] = len(document["lineage"].pop("records"))
        this = (versions.c.model_line == line) & (versions.c.number == number)
        connection.execute(sa.update(versions).where(this).values(document=document))


_RECORD_COLUMNS = (
    *("run", "position", "topic", "partition", "offset"),
    *("sha256", "origin", "group_key", "conversation_hash", "erased"),
)


def _rows(
    connection: sa.Connection, run: str, listed: list[list[str]], *, new: int
) -> list[dict[str, object]]:
    names = ("conversation_id", "topic", "partition", "offset", "group_key", "conversation_hash")
    conversations = sa.table("conversations", *(sa.column(name) for name in names))
    rows: list[dict[str, object]] = []
    for position, (id_, sha256) in enumerate(listed):
        conversation = (
            connection.execute(sa.select(conversations).where(conversations.c.conversation_id == id_))
            .mappings()
            .one()
        )
        row = {name: conversation[name] for name in names[1:]}
        origin = "new" if position < new else "replay"
        rows.append(
            {**row, "run": run, "position": position, "sha256": sha256, "origin": origin, "erased": False}
        )
    return rows
