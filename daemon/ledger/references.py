"""Stores references: the conversations that a version is known to handle, with which windows are compared."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Engine, RowMapping, Select, select

from daemon.domain.errors import DaemonError
from daemon.domain.windows import Freeze, ReferenceCause, SeqRange, StoredReference
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.reference_filling import (
    draw_sample,
    fill_from_newest,
    insert_reference,
    written_reference,
)
from daemon.ledger.reference_rows import (
    distinct_reference_ids,
    is_depleted,
    kept_reference_rows,
    newest_reference,
    open_freeze,
    reference_of,
    select_references,
)
from daemon.ledger.reference_widening import WidenBlocker, widen_blocker, widened_values
from daemon.ledger.tables import conversations
from monitors.times import trimmed_range

#: Of windows.reference_size.
_LEAST_SIZE = 50


class TooFewConversations(DaemonError):
    """The conversations that an operator chose are too few for a reference."""


class ReferenceLedger:
    """The references of the model line, of which the newest is in use.

    Older ones are kept for rollbacks, and to recognise a return to one of them. While the reference is frozen, only an
    operator changes it (``set_to_newest``, ``set_to_period``).
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def newest(self) -> StoredReference | None:
        """Return the newest reference, filled or not."""
        with self._reads.begin() as connection:
            return newest_reference(connection)

    def frozen(self) -> Freeze | None:
        """Return the freeze that has not ended; None if the reference is not frozen."""
        with self._reads.begin() as connection:
            return open_freeze(connection)

    def widen_blocker(self) -> WidenBlocker | None:
        """Return why the newest reference is never widened; None if it may be."""
        with self._reads.begin() as connection:
            reference = newest_reference(connection)
            return None if reference is None else widen_blocker(connection, reference)

    def earlier(self) -> list[StoredReference]:
        """Return the older references that windows can be compared with, newest first, each at its widest."""
        with self._reads.begin() as connection:
            newest = newest_reference(connection)
            rows = connection.execute(select_references(distinct_reference_ids())).mappings()
            older = [reference_of(row) for row in rows if newest is None or row["id"] != newest.id]
            return [reference for reference in older if not is_depleted(connection, reference)]

    def start(
        self, version: str, *, size: int, after_seq: int, now: datetime, days: float = 0.0
    ) -> StoredReference:
        """Begin a reference of ``size`` conversations after ``after_seq`` for a version; return the newest one.

        It is filled at once where there are enough conversations: with a sample of the last ``days``, or with the
        newest ones where these days hold fewer. Otherwise it is filled with the first ones that come. While the
        reference is frozen nothing changes.
        """
        with write(self._engine, "reference") as connection:
            in_intake_order(connection)
            if open_freeze(connection) is None:
                values = {"version": version, "size": size, "after_seq": after_seq}
                insert_reference(connection, values, cause=ReferenceCause.VERSION, now=now)
                fill_from_newest(connection, days=days)
            return written_reference(connection)

    def restore(self, version: str, now: datetime) -> StoredReference | None:
        """Make the last reference of an earlier version the newest again.

        Returns None, and changes nothing, if it is no longer kept, if most of its conversations were deleted, or while
        the reference is frozen.
        """
        with write(self._engine, "reference.restore") as connection:
            in_intake_order(connection)
            row = next((row for row in kept_reference_rows(connection) if row["version"] == version), None)
            if row is None or open_freeze(connection) or is_depleted(connection, reference_of(row)):
                return None
            insert_reference(connection, _copied_values(row), cause=ReferenceCause.ROLLBACK, now=now)
            return newest_reference(connection)

    def widen(self, *, days: float, now: datetime) -> StoredReference | None:
        """Widen the reference by all windows judged against it, if it then spans twice the time, or ``days``.

        Returns the wider one. Returns None, and changes nothing, if the reference spans ``days`` already, has a
        ``widen_blocker`` or is frozen, if the detector has evidence for a change or raised an alarm in conversations
        that are not judged yet, or if the judged windows span too little time.
        """
        with self._reads.begin() as connection:
            if widened_values(connection, days) is None:
                return None
        with write(self._engine, "reference.widen") as connection:
            in_intake_order(connection)
            values = widened_values(connection, days)
            if values is None:
                return None
            insert_reference(connection, values, cause=ReferenceCause.WIDENED, now=now)
            return newest_reference(connection)

    def set_to_newest(
        self, version: str, count: int, *, size: int, by: str, why: str, now: datetime
    ) -> StoredReference:
        """Draw a reference from the newest ``count`` conversations. Raises TooFewConversations."""
        newest = select(conversations.c.seq).order_by(conversations.c.seq.desc()).limit(count)
        seqs = self._enough(newest, size=size, choice=f"the last {count}")
        return self._set(version, (seqs[0], seqs[-1]), size=size, by=by, why=why, now=now)

    def set_to_period(
        self, version: str, since: datetime, until: datetime, *, size: int, by: str, why: str, now: datetime
    ) -> StoredReference:
        """Draw a reference from the conversations from ``since`` on and before ``until``. Raises TooFewConversations.

        The sample is drawn from the range of seqs that these conversations cover, without a hundredth of them at either
        end, whose clocks may be wrong. Conversations of other times within this range can be drawn too.
        """
        in_period = (conversations.c.at >= since) & (conversations.c.at < until)
        choice = f"those from {since:%Y-%m-%d %H:%M}Z to {until:%Y-%m-%d %H:%M}Z"
        seqs = self._enough(select(conversations.c.seq).where(in_period), size=size, choice=choice)
        return self._set(version, trimmed_range(seqs), size=size, by=by, why=why, now=now)

    def _enough(self, query: Select[int], *, size: int, choice: str) -> list[int]:
        """Return the chosen conversations, in order. Raises TooFewConversations if they are fewer than ``size``."""
        with self._reads.begin() as connection:
            seqs = sorted(connection.scalars(query).all())
        if len(seqs) < size:
            smaller = ", or set windows.reference_size lower" if len(seqs) >= _LEAST_SIZE else ""
            raise TooFewConversations(
                f"there are {len(seqs)} conversations ({choice}), and a reference needs {size} "
                f"(windows.reference_size); choose more{smaller}"
            )
        return seqs

    def _set(
        self, version: str, ends: tuple[int, int], *, size: int, by: str, why: str, now: datetime
    ) -> StoredReference:
        first, last = ends
        values = {"version": version, "size": size, "after_seq": first - 1}
        with write(self._engine, "reference.fix") as connection:
            in_intake_order(connection)
            sample = asdict(draw_sample(connection, SeqRange(first=first, last=last), size))
            cause = ReferenceCause.OPERATOR
            insert_reference(connection, {**values, **sample}, cause=cause, now=now, by=by, why=why)
            return written_reference(connection)


def _copied_values(row: RowMapping) -> dict[str, object]:
    """Return the columns that name the version and conversations of a reference."""
    own = {"id", "created_at", "cause", "by", "why"}
    return {name: value for name, value in row.items() if name not in own}
