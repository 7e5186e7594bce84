"""Stores the state of each reference's sequential detector, and the alarms that it raised."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update

from daemon.domain.windows import SeqRange
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.tables import alarms, detectors, windows
from daemon.ledger.window_closing import close_window_at
from monitors.sequential.pending_alarm import LOOKS


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

        Returns whether no earlier alarm was waiting for confirmation.
        """
        with write(self._engine, "alarm") as connection:
            in_intake_order(connection)
            _upsert(connection, stored)
            waiting = _awaits_confirmation(connection, stored.reference_id)
            if not _in_the_same_window(connection, stored.reference_id, raised.seq):
                connection.execute(
                    insert(alarms).values(
                        reference_id=stored.reference_id,
                        seq=raised.seq,
                        since_seq=raised.since_seq,
                        evidence=dict(raised.evidence),
                        at=raised.at,
                    )
                )
            if not waiting:
                close_window_at(connection, raised.seq, now=raised.at)
        return not waiting

    def first_alarm_in(self, span: SeqRange, *, reference_id: int) -> RaisedAlarm | None:
        """Return the first alarm that was raised in a range of conversations."""
        inside = alarms.c.seq.between(span.first, span.last) & (alarms.c.reference_id == reference_id)
        with self._reads.begin() as connection:
            row = connection.execute(select(alarms).where(inside).order_by(alarms.c.seq)).mappings().first()
        return None if row is None else _raised(row)

    def newest(self, limit: int) -> list[RaisedAlarm]:
        """Return the newest alarms, newest first."""
        with self._reads.begin() as connection:
            rows = connection.execute(select(alarms).order_by(alarms.c.id.desc()).limit(limit)).mappings()
            return [_raised(row) for row in rows]


def _upsert(connection: Connection, stored: StoredDetector) -> None:
    values = {"seq": stored.seq, "state": dict(stored.state), "at": stored.at}
    this = detectors.c.reference_id == stored.reference_id
    if not connection.execute(update(detectors).where(this).values(**values)).rowcount:
        connection.execute(insert(detectors).values(reference_id=stored.reference_id, **values))


def _awaits_confirmation(connection: Connection, reference_id: int) -> bool:
    """Return whether an alarm was raised so lately that windows may still confirm it."""
    query = select(windows.c.first_seq).order_by(windows.c.number.desc()).offset(LOOKS - 1).limit(1)
    return _has_alarm_from(connection, reference_id, connection.scalar(query) or 0)


def _in_the_same_window(connection: Connection, reference_id: int, seq: int) -> bool:
    """Return whether an alarm was raised in the window to which a conversation belongs, or will belong."""
    start = connection.scalar(select(func.max(windows.c.last_seq)).where(windows.c.last_seq < seq)) or 0
    # There are no alarms after the conversation, because a detector processes seqs in order.
    return _has_alarm_from(connection, reference_id, start + 1)


def _has_alarm_from(connection: Connection, reference_id: int, seq: int) -> bool:
    from_here = (alarms.c.seq >= seq) & (alarms.c.reference_id == reference_id)
    return connection.scalar(select(alarms.c.id).where(from_here).limit(1)) is not None


def _raised(row: RowMapping) -> RaisedAlarm:
    return RaisedAlarm(seq=row["seq"], since_seq=row["since_seq"], evidence=row["evidence"], at=row["at"])
