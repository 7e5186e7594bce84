"""Stores windows and the monitors' verdicts on them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, RowMapping, exists, func, insert, select, update

from daemon.domain.alarms import Alarm
from daemon.domain.windows import ClosedWindow, SeqRange, StoredReference
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.reference_rows import newest_reference
from daemon.ledger.reports import NewReport, add_report
from daemon.ledger.tables import alarms, verdicts, windows
from daemon.ledger.window_closing import aged_window, close_window
from daemon.ledger.window_evidence import window_evidence
from daemon.ledger.window_examples import with_stored_examples
from monitors.sequential.pending_alarm import pending_alarm


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictRow:
    """A stored verdict of one monitor on one window."""

    window: int
    monitor: str
    finding: str
    score: float | None
    threshold: float | None
    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    triggers: bool  # whether the monitor's finding may raise or confirm an alarm


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedWindow:
    """A window and the verdicts on it."""

    window: ClosedWindow
    finding: str
    judged_at: datetime
    reference_id: int
    explanation: Mapping[str, object] | None
    verdicts: tuple[VerdictRow, ...]


class WindowLedger:
    """The windows. They overlap neither each other nor the reference that they are judged against."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def reference(self) -> StoredReference | None:
        """Return the newest reference, filled or not: the one that the next windows are judged against."""
        with self._reads.begin() as connection:
            return newest_reference(connection)

    def close_aged_window(self, *, max_age_s: float, min_size: int, now: datetime) -> ClosedWindow | None:
        """Close the open window early if its oldest conversation was received at least ``max_age_s`` ago.

        A window of fewer than ``min_size`` conversations stays open. Nothing is written unless a window is due.
        """
        received_until = now - timedelta(seconds=max_age_s)
        with self._reads.begin() as connection:
            if aged_window(connection, received_until, min_size) is None:
                return None
        with write(self._engine, "window.close") as connection:
            in_intake_order(connection)
            aged = aged_window(connection, received_until, min_size)
            return None if aged is None else close_window(connection, aged, now)

    def next_to_judge(self) -> ClosedWindow | None:
        """Return the oldest window without verdicts."""
        query = select(windows).where(windows.c.judged_at.is_(None)).order_by(windows.c.number).limit(1)
        with self._reads.begin() as connection:
            row = connection.execute(query).mappings().first()
            return _window(row) if row else None

    def waiting(self) -> int:
        """Count the windows without verdicts."""
        with self._reads.begin() as connection:
            return connection.scalar(select(func.count()).where(windows.c.judged_at.is_(None))) or 0

    def skip_waiting(self, rows: Callable[[int], VerdictRow], *, keep: int, seen: int, now: datetime) -> int:
        """Mark waiting windows but the newest ``keep`` as judged, by the detector's verdict alone; return how many.

        The verdict's finding is the window's.

        Windows that the detector has not processed completely (up to the seq ``seen``), and windows in which it raised an
        alarm, go on waiting. ``rows`` returns the detector's verdict on a window, by the window's number.
        """
        waiting = select(windows.c.number).where(windows.c.judged_at.is_(None))
        newest = waiting.order_by(windows.c.number.desc()).limit(keep)
        alarmed = exists().where(alarms.c.seq.between(windows.c.first_seq, windows.c.last_seq))
        due = waiting.where(windows.c.number.not_in(newest) & (windows.c.last_seq <= seen) & ~alarmed)
        with write(self._engine, "window.pass") as connection:
            reference = newest_reference(connection)
            numbers = connection.scalars(due.order_by(windows.c.number).limit(1_000)).all()
            if not numbers or reference is None:
                return 0
            given = [rows(number) for number in numbers]
            for finding in {row.finding for row in given}:
                these = [row.window for row in given if row.finding == finding]
                values = {"finding": finding, "reference_id": reference.id, "judged_at": now}
                connection.execute(update(windows).where(windows.c.number.in_(these)).values(**values))
            connection.execute(insert(verdicts), [_verdict_values(row) for row in given])
        return len(numbers)

    def first_alarmed(self, reference_id: int) -> int | None:
        """Return the number of the oldest window without verdicts in which an alarm was raised against a reference."""
        inside = alarms.c.seq.between(windows.c.first_seq, windows.c.last_seq)
        alarmed = exists().where(inside & (alarms.c.reference_id == reference_id))
        query = select(func.min(windows.c.number)).where(windows.c.judged_at.is_(None) & alarmed)
        with self._reads.begin() as connection:
            number: int | None = connection.scalar(query)
            return number

    def record_judgement(
        self,
        window: ClosedWindow,
        rows: Sequence[VerdictRow],
        *,
        finding: str,
        reference_id: int,
        explanation: Mapping[str, object] | None,
        report: NewReport | None = None,
        now: datetime,
    ) -> None:
        """Store the verdicts of all monitors on a window, its explanation and its report.

        Examples that were erased meanwhile are left out of the explanation. If a conversation that the report was made of
        was deleted meanwhile, the report is not stored.
        """
        with write(self._engine, "judgement") as connection:
            in_intake_order(connection)  # so that no example is erased meanwhile
            values = {
                "finding": finding,
                "reference_id": reference_id,
                "explanation": with_stored_examples(connection, explanation),
                "judged_at": now,
            }
            connection.execute(update(windows).where(windows.c.number == window.number).values(**values))
            connection.execute(insert(verdicts), [_verdict_values(row) for row in rows])
            if report is not None:
                add_report(connection, window.number, report, now=now)

    def judged(self, *, limit: int, drift_only: bool = False) -> list[JudgedWindow]:
        """Return judged windows, newest first."""
        query = (
            select(windows)
            .where(windows.c.judged_at.is_not(None))
            .order_by(windows.c.number.desc())
            .limit(limit)
        )
        if drift_only:
            query = query.where(windows.c.finding == "drift")
        with self._reads.begin() as connection:
            rows = connection.execute(query).mappings().all()
            by_window = _verdicts(connection, [row["number"] for row in rows])
        return [_judged(row, by_window) for row in rows]

    def newest_judged(self) -> int | None:
        """Return the number of the newest judged window; None if there is none."""
        query = select(func.max(windows.c.number)).where(windows.c.judged_at.is_not(None))
        with self._reads.begin() as connection:
            number: int | None = connection.scalar(query)
            return number

    def window(self, number: int) -> JudgedWindow | None:
        """Return one judged window; None if it is not judged or no longer stored."""
        query = select(windows).where((windows.c.number == number) & windows.c.judged_at.is_not(None))
        with self._reads.begin() as connection:
            row = connection.execute(query).mappings().first()
            return _judged(row, _verdicts(connection, [number])) if row else None

    def detector_start(self, reference: StoredReference) -> int:
        """Return the seq after which a reference's detector starts: the last one before the next window to judge."""
        judged = select(func.max(windows.c.last_seq)).where(windows.c.judged_at.is_not(None))
        with self._reads.begin() as connection:
            return max(connection.scalar(judged) or 0, reference.range.last if reference.range else 0)

    def alarm(self, *, after_seq: int) -> Alarm | None:
        """Return the pending alarm about a change from the newest reference in conversations after ``after_seq``.

        An alarm is no longer pending once a decision says that the change is harmless, or that training can't help.
        """
        with self._reads.begin() as connection:
            reference = newest_reference(connection)
            if reference is None:
                return None
            pending = pending_alarm(window_evidence(connection, reference.id, after_seq))
        if pending is None:
            return None
        return Alarm(
            window=pending.window,
            first_seq=pending.first_seq,
            reason=pending.reason,
            at=pending.at,
            confirmed=pending.confirmed,
            leading=pending.leading_aspect,
        )


def _window(row: RowMapping) -> ClosedWindow:
    return ClosedWindow(
        number=row["number"],
        range=SeqRange(first=row["first_seq"], last=row["last_seq"]),
        closed_at=row["closed_at"],
    )


def _judged(row: RowMapping, by_window: Mapping[int, list[VerdictRow]]) -> JudgedWindow:
    return JudgedWindow(
        window=_window(row),
        finding=row["finding"],
        judged_at=row["judged_at"],
        reference_id=row["reference_id"],
        explanation=row["explanation"],
        verdicts=tuple(by_window.get(row["number"], ())),
    )


def _verdicts(connection: Connection, numbers: Iterable[int]) -> dict[int, list[VerdictRow]]:
    query = (
        select(verdicts)
        .where(verdicts.c.window.in_(list(numbers)))
        .order_by(verdicts.c.window, verdicts.c.monitor)
    )
    by_window: dict[int, list[VerdictRow]] = {}
    for row in connection.execute(query).mappings():
        by_window.setdefault(row["window"], []).append(VerdictRow(**row))
    return by_window


def _verdict_values(row: VerdictRow) -> dict[str, object]:
    def finite(value: float | None) -> float | None:
        return value if value is not None and math.isfinite(value) else None

    return {
        "window": row.window,
        "monitor": row.monitor,
        "finding": row.finding,
        "score": finite(row.score),
        "threshold": finite(row.threshold),
        "reason": row.reason,
        "numbers": {name: value for name, value in row.numbers.items() if math.isfinite(value)},
        "triggers": row.triggers,
    }
