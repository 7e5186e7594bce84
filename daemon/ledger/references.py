"""Keeps references: the conversations that a version is known to handle, which windows are compared with."""

from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, Select, func, insert, select, update

from daemon.facts import SeqRange, StoredReference
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.tables import conversations, references

#: Versions that a rollback finds the reference of: further back it begins a new one.
_VERSIONS_KEPT = 5


class ReferenceLedger:
    """The newest reference counts; older ones are kept for rollbacks. A ledger belongs to one model line."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def newest(self) -> StoredReference | None:
        """Return the newest reference, filled or not."""
        with self._reads.begin() as connection:
            return newest_reference(connection)

    def start(self, version: str, *, size: int, after_seq: int, now: datetime) -> StoredReference:
        """Begin a reference for a version: the newest ``size`` conversations after ``after_seq``, now or once there are."""
        with write(self._engine, "reference") as connection:
            in_intake_order(connection)
            values = {"version": version, "size": size, "after_seq": after_seq, "created_at": now}
            connection.execute(insert(references).values(**values))
            fill_reference(connection, newest_first=True)
            return _existing(newest_reference(connection))

    def restore(self, version: str, now: datetime) -> StoredReference | None:
        """Make the last reference of an earlier version the newest again; None where the ledger has none any more."""
        with write(self._engine, "reference.restore") as connection:
            in_intake_order(connection)
            row = next((row for row in _kept_rows(connection) if row["version"] == version), None)
            if row is None or _is_worn(connection, row):
                return None
            copied = {name: row[name] for name in ("version", "size", "after_seq", "first_seq", "last_seq")}
            connection.execute(insert(references).values(**copied, created_at=now))
            return newest_reference(connection)


def newest_reference(connection: Connection) -> StoredReference | None:
    """Return the reference that windows are judged against from now on."""
    row = connection.execute(select(references).order_by(references.c.id.desc()).limit(1)).mappings().first()
    if row is None:
        return None
    filled = None if row["last_seq"] is None else SeqRange(first=row["first_seq"], last=row["last_seq"])
    return StoredReference(
        id=row["id"], version=row["version"], size=row["size"], after_seq=row["after_seq"], range=filled
    )


def kept_references(connection: Connection) -> list[SeqRange]:
    """Return the conversations of references that a window may still be compared with, after a rollback too."""
    return [
        SeqRange(first=row["first_seq"], last=row["last_seq"])
        for row in _kept_rows(connection)
        if row["last_seq"] is not None
    ]


def renew_worn_reference(connection: Connection, now: datetime) -> None:
    """Where most of the reference is gone, begin another for the same version."""
    row = next(iter(_kept_rows(connection)), None)
    if row is not None and _is_worn(connection, row):
        begun = {name: row[name] for name in ("version", "size", "after_seq")}
        connection.execute(insert(references).values(**begun, created_at=now))
        fill_reference(connection, newest_first=True)


def kept_reference_ids() -> Select[tuple[int]]:
    """Select the last reference of each of the latest versions."""
    last = func.max(references.c.id)
    return select(last).group_by(references.c.version).order_by(last.desc()).limit(_VERSIONS_KEPT)


def fill_reference(connection: Connection, *, newest_first: bool = False) -> None:
    """Fix the conversations of an unfilled reference once there are enough of them."""
    reference = newest_reference(connection)
    if reference is None or reference.range is not None:
        return
    order = conversations.c.seq.desc() if newest_first else conversations.c.seq
    query = (
        select(conversations.c.seq)
        .where(conversations.c.seq > reference.after_seq)
        .order_by(order)
        .limit(reference.size)
    )
    found = connection.scalars(query).all()
    if len(found) == reference.size:
        values = {"first_seq": min(found), "last_seq": max(found)}
        connection.execute(update(references).where(references.c.id == reference.id).values(**values))


def _kept_rows(connection: Connection) -> list[RowMapping]:
    """Return them, the newest first."""
    query = (
        select(references).where(references.c.id.in_(kept_reference_ids())).order_by(references.c.id.desc())
    )
    return list(connection.execute(query).mappings())


def _is_worn(connection: Connection, row: RowMapping) -> bool:
    """Whether more than half of a reference's conversations are gone: too old, or forgotten."""
    if row["last_seq"] is None:
        return False
    here = conversations.c.seq.between(row["first_seq"], row["last_seq"])
    return (connection.scalar(select(func.count()).where(here)) or 0) * 2 < int(row["size"])


def _existing(reference: StoredReference | None) -> StoredReference:
    assert reference is not None  # noqa: S101 - written in the same transaction
    return reference
