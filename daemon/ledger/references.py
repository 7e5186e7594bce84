"""Keeps references: the conversations that a version is known to handle, which windows are compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    Select,
    exists,
    func,
    insert,
    select,
    update,
)

from daemon.domain.errors import DaemonError
from daemon.domain.reference_span import next_span
from daemon.domain.windows import Freeze, ReferenceCause, SeqRange, StoredReference
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.reference_rows import (
    distinct_ids,
    draw,
    is_worn,
    kept_rows,
    newest_reference,
    open_freeze,
    reference_of,
    rows_of,
)
from daemon.ledger.tables import alarms, conversations, detectors, references, windows
from daemon.ledger.triages import answered_until
from monitors.sequential.aspect_evidence import DOUBT
from monitors.times import trimmed_range


class WidenBlocker(StrEnum):
    """Why a reference keeps the time that it spans: what came since is not known to be handled."""

    BY_HAND = "by_hand"
    CAME_BACK = "came_back"  # with a version that was rolled back to
    NOT_HELPED = "not_helped"  # training can't help with a change from it


class TooFewConversations(DaemonError):
    """The conversations that were asked for make no reference."""


class ReferenceLedger:
    """The newest reference counts; older ones are kept for rollbacks, and to be recognised when they fit again.

    A ledger belongs to one model line, and so do its references. While they are frozen, only ``fix`` changes them.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def newest(self) -> StoredReference | None:
        """Return the newest reference, filled or not."""
        with self._reads.begin() as connection:
            return newest_reference(connection)

    def frozen(self) -> Freeze | None:
        """Return the freeze that is open."""
        with self._reads.begin() as connection:
            return open_freeze(connection)

    def stays(self) -> WidenBlocker | None:
        """Return why the newest reference is never widened; None where it may be."""
        with self._reads.begin() as connection:
            reference = newest_reference(connection)
            return None if reference is None else _stays(connection, reference)

    def earlier(self) -> list[StoredReference]:
        """Return the older references that a window can be compared with, the newest first: each once, at its widest."""
        with self._reads.begin() as connection:
            newest = newest_reference(connection)
            rows = connection.execute(rows_of(distinct_ids())).mappings()
            kept = [reference_of(row) for row in rows if newest is None or row["id"] != newest.id]
            return [reference for reference in kept if not is_worn(connection, reference)]

    def start(
        self, version: str, *, size: int, after_seq: int, now: datetime, days: float = 0.0
    ) -> StoredReference:
        """Begin a reference for a version: ``size`` conversations after ``after_seq``, now or once there are as many.

        They are drawn from the latest ``days``, or are the newest ones where these hold fewer.
        """
        with write(self._engine, "reference") as connection:
            in_intake_order(connection)
            if open_freeze(connection) is None:
                values = {"version": version, "size": size, "after_seq": after_seq}
                _insert(connection, values, cause=ReferenceCause.VERSION, now=now)
                _fill_from_newest(connection, days=days)
            return _existing(newest_reference(connection))

    def restore(self, version: str, now: datetime) -> StoredReference | None:
        """Make the last reference of an earlier version the newest again; None where the ledger has none any more."""
        with write(self._engine, "reference.restore") as connection:
            in_intake_order(connection)
            row = next((row for row in kept_rows(connection) if row["version"] == version), None)
            if row is None or open_freeze(connection) or is_worn(connection, reference_of(row)):
                return None
            _insert(connection, _contents(row), cause=ReferenceCause.ROLLBACK, now=now)
            return newest_reference(connection)

    def widen(self, *, days: float, now: datetime) -> StoredReference | None:
        """Draw the reference anew from all that was judged against it, too, where it then spans twice the time or ``days``.

        What a detector raised an alarm in that is not judged yet is left out. Returns the wider one; None where nothing
        changes: it spans enough, there is evidence for a change from it, it ``stays``, an operator froze it, or too little
        came since.
        """
        with self._reads.begin() as connection:
            if _wider(connection, days) is None:
                return None
        with write(self._engine, "reference.widen") as connection:
            in_intake_order(connection)
            wider = _wider(connection, days)
            if wider is None:
                return None
            _insert(connection, wider, cause=ReferenceCause.WIDENED, now=now)
            return newest_reference(connection)

    def fix_last(
        self, version: str, count: int, *, size: int, by: str, why: str, now: datetime
    ) -> StoredReference:
        """Draw a reference from the newest ``count`` conversations, as an operator wishes. Raises TooFewConversations."""
        newest = select(conversations.c.seq).order_by(conversations.c.seq.desc()).limit(count)
        seqs = self._enough(newest, size=size, said=f"the last {count}")
        return self._fix(version, (seqs[0], seqs[-1]), size=size, by=by, why=why, now=now)

    def fix_between(
        self, version: str, since: datetime, until: datetime, *, size: int, by: str, why: str, now: datetime
    ) -> StoredReference:
        """Draw a reference from what was said from ``since`` on and before ``until``. Raises TooFewConversations.

        It is drawn from the part of the ledger that holds these, but for a hundredth at either end, whose clocks may be
        wrong; what came among them with other times is in it too.
        """
        then = (conversations.c.at >= since) & (conversations.c.at < until)
        said = f"those from {since:%Y-%m-%d %H:%M}Z to {until:%Y-%m-%d %H:%M}Z"
        seqs = self._enough(select(conversations.c.seq).where(then), size=size, said=said)
        return self._fix(version, trimmed_range(seqs), size=size, by=by, why=why, now=now)

    def _enough(self, query: Select[int], *, size: int, said: str) -> list[int]:
        """Return the conversations that were asked for, in order. Raises TooFewConversations."""
        with self._reads.begin() as connection:
            seqs = sorted(connection.scalars(query).all())
        if len(seqs) < size:
            raise TooFewConversations(
                f"there are {len(seqs)} conversations ({said}), and a reference needs {size} "
                "(windows.reference_size); choose more, or set windows.reference_size lower"
            )
        return seqs

    def _fix(
        self, version: str, ends: tuple[int, int], *, size: int, by: str, why: str, now: datetime
    ) -> StoredReference:
        first, last = ends
        fixed = {"version": version, "size": size, "after_seq": first - 1}
        with write(self._engine, "reference.fix") as connection:
            in_intake_order(connection)
            drawn = asdict(draw(connection, SeqRange(first=first, last=last), size))
            _insert(connection, {**fixed, **drawn}, cause=ReferenceCause.OPERATOR, now=now, by=by, why=why)
            return _existing(newest_reference(connection))


def renew_worn_reference(connection: Connection, now: datetime) -> None:
    """Where most of the reference is gone, begin another for the same version."""
    reference = newest_reference(connection)
    if reference is not None and open_freeze(connection) is None and is_worn(connection, reference):
        begun = {"version": reference.version, "size": reference.size, "after_seq": reference.after_seq}
        _insert(connection, begun, cause=ReferenceCause.WORN, now=now)
        _fill_from_newest(connection)


def fill_reference(connection: Connection) -> None:
    """Fix the conversations of an unfilled reference once there are enough of them: the first ones."""
    reference = newest_reference(connection)
    if reference is None or reference.range is not None:
        return
    _fill(connection, reference, _seqs_after(connection, reference, conversations.c.seq))


def _fill_from_newest(connection: Connection, *, days: float = 0.0) -> None:
    """Fill the newest reference with the newest conversations, drawn from as many days where they hold more."""
    reference = _existing(newest_reference(connection))
    seqs = _seqs_after(connection, reference, conversations.c.seq.desc())
    if days and len(seqs) == reference.size:
        seqs = [*seqs, _first_within(connection, reference.after_seq, seqs, timedelta(days=days))]
    _fill(connection, reference, seqs)


def _seqs_after(connection: Connection, reference: StoredReference, order: ColumnElement[int]) -> list[int]:
    after = conversations.c.seq > reference.after_seq
    query = select(conversations.c.seq).where(after).order_by(order).limit(reference.size)
    return list(connection.scalars(query).all())


def _first_within(connection: Connection, after_seq: int, newest: Sequence[int], days: timedelta) -> int:
    """Return the first conversation after ``after_seq`` of the days before the newest ones."""
    here = conversations.c.seq.between(min(newest), max(newest))
    _, latest = trimmed_range(connection.scalars(select(conversations.c.at).where(here)).all())
    within = (conversations.c.seq > after_seq) & (conversations.c.at >= latest - days)
    return connection.scalar(select(func.min(conversations.c.seq)).where(within)) or min(newest)


def _fill(connection: Connection, reference: StoredReference, seqs: Sequence[int]) -> None:
    if len(seqs) >= reference.size:
        drawn = draw(connection, SeqRange(first=min(seqs), last=max(seqs)), reference.size)
        connection.execute(update(references).where(references.c.id == reference.id).values(**asdict(drawn)))


def _wider(connection: Connection, days: float) -> dict[str, object] | None:
    """Return the newest reference as it would be with what was judged against it, if that is worth it now."""
    reference = newest_reference(connection)
    if reference is None or reference.range is None or _stays(connection, reference) is not None:
        return None
    cycle = timedelta(days=days)
    if reference.spanned >= cycle or open_freeze(connection) is not None:
        return None
    if _in_doubt(connection, reference.id):
        return None  # a wider one would begin with no evidence, and take in what made it
    judged = (windows.c.reference_id == reference.id) & windows.c.judged_at.is_not(None)
    until = connection.scalar(select(func.max(windows.c.last_seq)).where(judged)) or 0
    raised = (alarms.c.reference_id == reference.id) & (alarms.c.seq > until)
    if until <= reference.range.last or connection.scalar(select(exists().where(raised))):
        return None
    needed = next_span(reference.spanned, cycle)
    latest = connection.scalar(select(conversations.c.at).where(conversations.c.seq == until))
    if latest is not None and reference.since is not None and latest - reference.since < needed:
        return None  # most likely too early; the next window tells again
    wider = draw(connection, SeqRange(first=reference.range.first, last=until), reference.size)
    if wider.until - wider.since < needed:
        return None
    same = {"version": reference.version, "size": reference.size, "after_seq": reference.after_seq}
    return {**same, **asdict(wider)}


def _stays(connection: Connection, reference: StoredReference) -> WidenBlocker | None:
    """Return why a reference is never widened."""
    if reference.cause is ReferenceCause.OPERATOR:
        return WidenBlocker.BY_HAND
    if reference.cause is ReferenceCause.ROLLBACK:
        return WidenBlocker.CAME_BACK
    # What training can't help is not handled, though its alarm stands no more.
    return WidenBlocker.NOT_HELPED if answered_until(connection, reference.id) else None


def _in_doubt(connection: Connection, reference_id: int) -> bool:
    """Whether the detector has evidence for a change from a reference that chance seldom makes."""
    state = connection.scalar(select(detectors.c.state).where(detectors.c.reference_id == reference_id)) or {}
    return any(stake["wealth"] > DOUBT for stake in state.get("stakes", {}).values())


def _insert(
    connection: Connection,
    values: Mapping[str, object],
    *,
    cause: ReferenceCause,
    now: datetime,
    by: str | None = None,
    why: str | None = None,
) -> None:
    row = {**values, "cause": cause, "created_at": now, "by": by, "why": why}
    connection.execute(insert(references).values(**row))


def _contents(row: RowMapping) -> dict[str, object]:
    """Return which conversations a row names."""
    left_out = {"id", "created_at", "cause", "by", "why"}
    return {name: value for name, value in row.items() if name not in left_out}


def _existing(reference: StoredReference | None) -> StoredReference:
    assert reference is not None  # noqa: S101 - written in the same transaction
    return reference
