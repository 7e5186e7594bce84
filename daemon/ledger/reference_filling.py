"""Begins references and draws their conversations, within the transactions of others."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from daemon.domain.windows import ReferenceCause, SeqRange, StoredReference
from daemon.ledger.reference_rows import in_reference, is_depleted, newest_reference, open_freeze
from daemon.ledger.tables import conversations, references
from monitors.times import trimmed_range


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceSample:
    """A sample of a range of conversations. Its fields are columns of the references table."""

    first_seq: int
    last_seq: int
    hash_until: str  # the largest keyed hash in the sample
    since: datetime
    until: datetime


def draw_sample(connection: Connection, span: SeqRange, size: int) -> ReferenceSample:
    """Draw a uniform sample of a range: the conversations with the smallest keyed hashes (bottom-k sampling)."""
    sides, hash_ = conversations.c.held_out.in_((False, True)), conversations.c.conversation_hash
    query = select(hash_).where(sides & conversations.c.seq.between(span.first, span.last)).order_by(hash_)
    hash_until = connection.scalars(query.limit(size)).all()[-1]
    sample = StoredReference(id=0, version="", size=size, after_seq=0, range=span, hash_until=hash_until)
    times = connection.scalars(select(conversations.c.at).where(in_reference(sample))).all()
    since, until = trimmed_range(times)
    return ReferenceSample(
        first_seq=span.first, last_seq=span.last, hash_until=hash_until, since=since, until=until
    )


def insert_reference(
    connection: Connection,
    values: Mapping[str, object],
    *,
    cause: ReferenceCause,
    now: datetime,
    by: str | None = None,
    why: str | None = None,
) -> None:
    """Insert a reference, which is the newest from then on. ``by`` and ``why`` are an operator's."""
    row = {**values, "cause": cause, "created_at": now, "by": by, "why": why}
    connection.execute(insert(references).values(**row))


def fill_reference(connection: Connection) -> None:
    """Fill the newest reference with the first conversations after its beginning, once there are enough of them."""
    reference = newest_reference(connection)
    if reference is None or reference.range is not None:
        return
    _fill(connection, reference, _seqs_after(connection, reference, conversations.c.seq))


def fill_from_newest(connection: Connection, *, days: float = 0.0) -> None:
    """Fill the newest reference with the newest conversations, if there are enough after its beginning.

    Where the last ``days`` hold more conversations than it needs, it becomes a sample of these days.
    """
    reference = written_reference(connection)
    seqs = _seqs_after(connection, reference, conversations.c.seq.desc())
    if days and len(seqs) == reference.size:
        seqs = [*seqs, _first_within(connection, reference.after_seq, seqs, timedelta(days=days))]
    _fill(connection, reference, seqs)


def replace_depleted_reference(connection: Connection, now: datetime) -> None:
    """Begin a new reference for the same version if most conversations of the newest one were deleted."""
    reference = newest_reference(connection)
    if reference is not None and open_freeze(connection) is None and is_depleted(connection, reference):
        values = {"version": reference.version, "size": reference.size, "after_seq": reference.after_seq}
        insert_reference(connection, values, cause=ReferenceCause.DEPLETED, now=now)
        fill_from_newest(connection)


def written_reference(connection: Connection) -> StoredReference:
    """Return the newest reference, which this transaction has written or read before."""
    reference = newest_reference(connection)
    assert reference is not None  # noqa: S101 - the caller promises it
    return reference


def _seqs_after(connection: Connection, reference: StoredReference, order: ColumnElement[int]) -> list[int]:
    """Return up to ``size`` conversations after the beginning of a reference."""
    after = conversations.c.seq > reference.after_seq
    query = select(conversations.c.seq).where(after).order_by(order).limit(reference.size)
    return list(connection.scalars(query).all())


def _first_within(connection: Connection, after_seq: int, newest: Sequence[int], days: timedelta) -> int:
    """Return the first conversation after ``after_seq`` that is at most ``days`` older than the newest ones."""
    among_newest = conversations.c.seq.between(min(newest), max(newest))
    _, latest = trimmed_range(connection.scalars(select(conversations.c.at).where(among_newest)).all())
    within = (conversations.c.seq > after_seq) & (conversations.c.at >= latest - days)
    return connection.scalar(select(func.min(conversations.c.seq)).where(within)) or min(newest)


def _fill(connection: Connection, reference: StoredReference, seqs: Sequence[int]) -> None:
    """Draw the conversations of a reference from the range of ``seqs``, if these are enough."""
    if len(seqs) >= reference.size:
        sample = draw_sample(connection, SeqRange(first=min(seqs), last=max(seqs)), reference.size)
        connection.execute(update(references).where(references.c.id == reference.id).values(**asdict(sample)))
