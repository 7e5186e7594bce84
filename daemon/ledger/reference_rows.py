"""Reads references: which conversations they are, which of them are kept, and for how long they are frozen."""

from dataclasses import dataclass
from datetime import datetime

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
from monitors.times import trimmed_range

#: Versions that a rollback finds the reference of: further back it begins a new one.
_VERSIONS_KEPT = 5
#: References that a change may turn out to be a return to, besides the one that counts.
_EARLIER_KEPT = 8


def newest_reference(connection: Connection) -> StoredReference | None:
    """Return the reference that windows are judged against from now on."""
    row = connection.execute(select(references).order_by(references.c.id.desc()).limit(1)).mappings().first()
    return None if row is None else reference_of(row)


def open_freeze(connection: Connection) -> Freeze | None:
    """Return the freeze that nobody has ended."""
    columns = [column for column in freezes.columns if column.name != "id"]
    row = connection.execute(select(*columns).where(freezes.c.ended_at.is_(None))).mappings().first()
    return Freeze(**row) if row else None


def kept_references(connection: Connection) -> list[StoredReference]:
    """Return the references that a window may still be compared with, after a rollback too."""
    return [reference for row in kept_rows(connection) if (reference := reference_of(row)).range is not None]


def is_of(reference: StoredReference) -> ColumnElement[bool]:
    """Whether a conversation is one of a reference."""
    if reference.range is None:
        return false()
    inside = conversations.c.seq.between(reference.range.first, reference.range.last)
    if reference.hash_until is None:
        return inside
    # Both sides by name, so that the index is enough and the texts of the whole range stay unread.
    sides = conversations.c.held_out.in_((False, True))
    return sides & inside & (conversations.c.conversation_hash <= reference.hash_until)


def kept_reference_ids() -> CompoundSelect[int]:
    """Select the last reference of each of the latest versions, and those that may be recognised."""
    last = func.max(references.c.id).label("id")
    of_versions = select(last).group_by(references.c.version).order_by(last.desc()).limit(_VERSIONS_KEPT)
    parts = (of_versions.subquery(), distinct_ids().subquery())
    return union(*(select(part.c.id) for part in parts))


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """The sample of a range, as a row names it."""

    first_seq: int
    last_seq: int
    hash_until: str
    since: datetime
    until: datetime


def draw(connection: Connection, span: SeqRange, size: int) -> Drawn:
    """Draw a uniform sample of a range: the conversations with the smallest keyed hashes (bottom-k sampling)."""
    sides, hash_ = conversations.c.held_out.in_((False, True)), conversations.c.conversation_hash
    query = select(hash_).where(sides & conversations.c.seq.between(span.first, span.last)).order_by(hash_)
    hash_until = connection.scalars(query.limit(size)).all()[-1]
    sample = StoredReference(id=0, version="", size=size, after_seq=0, range=span, hash_until=hash_until)
    since, until = trimmed_range(connection.scalars(select(conversations.c.at).where(is_of(sample))).all())
    return Drawn(first_seq=span.first, last_seq=span.last, hash_until=hash_until, since=since, until=until)


def kept_rows(connection: Connection) -> list[RowMapping]:
    """Return them, the newest first."""
    return list(connection.execute(rows_of(kept_reference_ids())).mappings())


def rows_of(ids: Select[int] | CompoundSelect[int]) -> Select[*tuple[object, ...]]:
    return select(references).where(references.c.id.in_(ids)).order_by(references.c.id.desc())


def distinct_ids() -> Select[int]:
    """Select the newest references but for those that a wider one, or the same one again, took the place of."""
    last = func.max(references.c.id).label("id")
    same = (references.c.version, references.c.after_seq, references.c.first_seq)
    full = references.c.last_seq.is_not(None)
    return select(last).where(full).group_by(*same).order_by(last.desc()).limit(_EARLIER_KEPT + 1)


def is_worn(connection: Connection, reference: StoredReference) -> bool:
    """Whether more than half of a reference's conversations are gone: too old, or forgotten."""
    if reference.range is None:
        return False
    left = connection.scalar(select(func.count()).select_from(conversations).where(is_of(reference))) or 0
    return left * 2 < reference.size


def reference_of(row: RowMapping) -> StoredReference:
    filled = None if row["last_seq"] is None else SeqRange(first=row["first_seq"], last=row["last_seq"])
    left_out = {"first_seq", "last_seq", "cause", "created_at"}
    plain = {name: value for name, value in row.items() if name not in left_out}
    return StoredReference(
        **plain, range=filled, cause=ReferenceCause(row["cause"] or ReferenceCause.VERSION)
    )
