"""Stores the state of each reference's sequential detector, and the alarms that it raised."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update

from daemon.domain.changes import changes_of, is_same_change
from daemon.domain.windows import SeqRange
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.tables import alarms, detectors, windows
from daemon.ledger.window_closing import close_window_at
from monitors.sequential.pending_alarm import LOOKS

#: Alarms of one change that are read to find the first.
_OF_CHANGE = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredDetector:
    """The state from which a detector continues."""

    reference_id: int
    seq: int  # the newest conversation that it has processed
    state: Mapping[str, object]
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RaisedAlarm:
    """A change of the stream that a detector found."""

    seq: int  # the conversation that raised it
    since_seq: int  # where the change began, by the detector's estimate
    evidence: Mapping[str, float]  # by aspect: how many times as likely as without a change
    at: datetime
    again: int = 0  # later windows in which it was raised again, because the change lasted
    reference_id: int = 0  # that it was raised against; assigned by the ledger


class DetectorLedger:
    """The detectors, one for each reference."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def stored(self, reference_id: int) -> StoredDetector | None:
        """Return the state of a reference's detector; None if it has not started."""
        query = select(detectors).where(detectors.c.reference_id == reference_id)
        with self._reads.begin() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else StoredDetector(**row)

    def store(self, stored: StoredDetector) -> None:
        """Store the state of a detector."""
        with write(self._engine, "detector") as connection:
            _upsert(connection, stored)

    def raise_alarm(self, stored: StoredDetector, raised: RaisedAlarm) -> bool:
        """Store an alarm, and close the open window at the conversation that raised it, in one transaction.

        So the next window, which may confirm the alarm, has no conversation that contributed to it. While an alarm waits
        for confirmation, further alarms close no window, and at most one alarm a window is stored.

        Returns whether the alarm is the first of its change, see ``is_same_change``.
        """
        raised = replace(raised, reference_id=stored.reference_id)
        with write(self._engine, "alarm") as connection:
            in_intake_order(connection)
            _upsert(connection, stored)
            waiting = _awaits_confirmation(connection, raised)
            first = _is_first(connection, raised)
            if not _in_the_same_window(connection, raised.reference_id, raised.seq):
                connection.execute(
                    insert(alarms).values(
                        reference_id=raised.reference_id,
                        seq=raised.seq,
                        since_seq=raised.since_seq,
                        evidence=dict(raised.evidence),
                        at=raised.at,
                    )
                )
            if not waiting:
                close_window_at(connection, raised.seq, now=raised.at)
        return first

    def first_alarm_in(self, span: SeqRange, *, reference_id: int) -> RaisedAlarm | None:
        """Return the first alarm that was raised in a range of conversations."""
        inside = alarms.c.seq.between(span.first, span.last) & (alarms.c.reference_id == reference_id)
        with self._reads.begin() as connection:
            row = connection.execute(select(alarms).where(inside).order_by(alarms.c.seq)).mappings().first()
        return None if row is None else _raised(row)

    def first_of_change(self, alarm: RaisedAlarm) -> RaisedAlarm:
        """Return the first alarm about the change that a stored alarm is about."""
        query = select(alarms).where(
            (alarms.c.reference_id == alarm.reference_id) & (alarms.c.seq <= alarm.seq)
        )
        with self._reads.begin() as connection:
            rows = connection.execute(query.order_by(alarms.c.id.desc()).limit(_OF_CHANGE)).mappings().all()
            found = [_raised(row) for row in reversed(rows)]
            return changes_of(found, _windows_after(connection, found[0].seq))[-1][0] if found else alarm

    def newest(self, limit: int) -> list[RaisedAlarm]:
        """Return the newest alarms, newest first."""
        with self._reads.begin() as connection:
            return _newest(connection, limit)

    def changes(self, limit: int) -> list[RaisedAlarm]:
        """Return the first alarm of each change, the newest first, with how often it was raised again.

        Only the newest ``limit`` alarms are read.
        """
        with self._reads.begin() as connection:
            found = _newest(connection, limit)[::-1]
            spans = _windows_after(connection, min((alarm.seq for alarm in found), default=0))
        changes = changes_of(found, spans)
        return [replace(change[0], again=len(change) - 1) for change in reversed(changes)]


def _upsert(connection: Connection, stored: StoredDetector) -> None:
    values = {"seq": stored.seq, "state": dict(stored.state), "at": stored.at}
    this = detectors.c.reference_id == stored.reference_id
    if not connection.execute(update(detectors).where(this).values(**values)).rowcount:
        connection.execute(insert(detectors).values(reference_id=stored.reference_id, **values))


def _newest(connection: Connection, limit: int) -> list[RaisedAlarm]:
    rows = connection.execute(select(alarms).order_by(alarms.c.id.desc()).limit(limit)).mappings()
    return [_raised(row) for row in rows]


def _windows_after(connection: Connection, seq: int, *, until: int | None = None) -> list[SeqRange]:
    """Return the windows that begin after a conversation and, if named, end before another, in order."""
    query = select(windows.c.first_seq, windows.c.last_seq).where(windows.c.first_seq > seq)
    if until is not None:
        query = query.where(windows.c.last_seq < until)
    rows = connection.execute(query.order_by(windows.c.number)).all()
    return [SeqRange(first=first, last=last) for first, last in rows]


def _is_first(connection: Connection, raised: RaisedAlarm) -> bool:
    """Return whether no earlier alarm is about the same change."""
    ours = select(alarms).where(alarms.c.reference_id == raised.reference_id)
    row = connection.execute(ours.order_by(alarms.c.id.desc()).limit(1)).mappings().first()
    if row is None:
        return True
    last = _raised(row)
    return not is_same_change(last, raised, _windows_after(connection, last.seq, until=raised.since_seq))


def _awaits_confirmation(connection: Connection, raised: RaisedAlarm) -> bool:
    """Return whether an alarm was raised so shortly before that windows before this one may still confirm it."""
    before = select(windows.c.first_seq).where(windows.c.last_seq < raised.seq)
    start = connection.scalar(before.order_by(windows.c.number.desc()).offset(LOOKS - 1).limit(1))
    return _has_alarm_from(connection, raised.reference_id, start or 0)


def _in_the_same_window(connection: Connection, reference_id: int, seq: int) -> bool:
    """Return whether an alarm was raised in the window to which a conversation belongs, or will belong."""
    start = connection.scalar(select(func.max(windows.c.last_seq)).where(windows.c.last_seq < seq)) or 0
    # There are no alarms after the conversation, because a detector processes seqs in order.
    return _has_alarm_from(connection, reference_id, start + 1)


def _has_alarm_from(connection: Connection, reference_id: int, seq: int) -> bool:
    from_here = (alarms.c.seq >= seq) & (alarms.c.reference_id == reference_id)
    return connection.scalar(select(alarms.c.id).where(from_here).limit(1)) is not None


def _raised(row: RowMapping) -> RaisedAlarm:
    return RaisedAlarm(**{name: value for name, value in row.items() if name != "id"})
