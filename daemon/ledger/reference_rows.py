"""Reads references: the newest one, those that are kept, and which conversations belong to one."""

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    RowMapping,
    Select,
    false,
    func,
    select,
    union,
)

from daemon.domain.windows import Freeze, ReferenceCause, SeqRange, StoredReference
from daemon.ledger.tables import conversations, freezes, references

#: Versions whose last reference is kept. A rollback to an older version begins a new reference.
_VERSIONS_KEPT = 5
#: References kept besides the newest one, so that a return to one of them is recognised.
_EARLIER_KEPT = 8


def newest_reference(connection: Connection) -> StoredReference | None:
    """Return the newest reference, filled or not: the one that windows are compared with."""
    row = connection.execute(select(references).order_by(references.c.id.desc()).limit(1)).mappings().first()
    return None if row is None else reference_of(row)


def open_freeze(connection: Connection) -> Freeze | None:
    """Return the freeze that has not ended; None if the reference is not frozen."""
    columns = [column for column in freezes.columns if column.name != "id"]
    row = connection.execute(select(*columns).where(freezes.c.ended_at.is_(None))).mappings().first()
    return Freeze(**row) if row else None


def kept_references(connection: Connection) -> list[StoredReference]:
    """Return the filled references whose conversations must be kept, newest first."""
    return [
        reference
        for row in kept_reference_rows(connection)
        if (reference := reference_of(row)).range is not None
    ]


def kept_reference_rows(connection: Connection) -> list[RowMapping]:
    """Return the rows of the kept references, newest first."""
    return list(connection.execute(select_references(kept_reference_ids())).mappings())


def kept_reference_ids() -> CompoundSelect[int]:
    """Select the ids of the references that are kept: for rollbacks, and to recognise a return to one."""
    last = func.max(references.c.id).label("id")
    by_version = select(last).group_by(references.c.version).order_by(last.desc()).limit(_VERSIONS_KEPT)
    parts = (by_version.subquery(), distinct_reference_ids().subquery())
    return union(*(select(part.c.id) for part in parts))


def distinct_reference_ids() -> Select[int]:
    """Select the ids of the newest filled references; of those with the same beginning only the newest, widest one."""
    last = func.max(references.c.id).label("id")
    same_beginning = (references.c.version, references.c.after_seq, references.c.first_seq)
    filled = references.c.last_seq.is_not(None)
    return select(last).where(filled).group_by(*same_beginning).order_by(last.desc()).limit(_EARLIER_KEPT + 1)


def select_references(ids: Select[int] | CompoundSelect[int]) -> Select[*tuple[object, ...]]:
    """Select the references with these ids, newest first."""
    return select(references).where(references.c.id.in_(ids)).order_by(references.c.id.desc())


def in_reference(reference: StoredReference) -> ColumnElement[bool]:
    """Return the condition that a conversation belongs to a reference."""
    if reference.range is None:
        return false()
    inside = conversations.c.seq.between(reference.range.first, reference.range.last)
    if reference.hash_until is None:
        return inside
    # Naming both sides of the split lets the database use the index alone, without reading the texts of the range.
    sides = conversations.c.held_out.in_((False, True))
    return sides & inside & (conversations.c.conversation_hash <= reference.hash_until)


def is_depleted(connection: Connection, reference: StoredReference) -> bool:
    """Return whether more than half of a reference's conversations were deleted, by retention or an erasure."""
    if reference.range is None:
        return False
    query = select(func.count()).select_from(conversations).where(in_reference(reference))
    return (connection.scalar(query) or 0) * 2 < reference.size


def reference_of(row: RowMapping) -> StoredReference:
    """Convert a row of the references table."""
    filled = None if row["last_seq"] is None else SeqRange(first=row["first_seq"], last=row["last_seq"])
    converted = {"first_seq", "last_seq", "cause", "created_at"}
    values = {name: value for name, value in row.items() if name not in converted}
    cause = ReferenceCause(row["cause"] or ReferenceCause.VERSION)
    return StoredReference(**values, range=filled, cause=cause)
