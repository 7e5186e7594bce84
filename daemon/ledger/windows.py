"""Keeps windows and what the monitors said of them."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import Connection, Engine, RowMapping, exists, func, insert, select, update

from daemon.domain.alarms import Alarm
from daemon.domain.windows import ClosedWindow, SeqRange, StoredReference
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.reference_rows import newest_reference
from daemon.ledger.references import fill_reference
from daemon.ledger.reports import NewReport, add_report
from daemon.ledger.tables import alarms, conversations, verdicts, windows
from daemon.ledger.triages import answered_until, forget_triage_examples
from monitors.sequential.aspect_evidence import leading_aspect_of
from monitors.sequential.pending_alarm import DETECTOR, WindowEvidence, pending_alarm


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictRow:
    """One monitor's verdict, as kept."""

    window: int
    monitor: str
    finding: str
    score: float | None
    threshold: float | None
    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    triggers: bool  # whether this monitor's finding may raise, or confirm, an alarm


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedWindow:
    """A window with what was found in it."""

    window: ClosedWindow
    finding: str
    judged_at: datetime
    reference_id: int
    explanation: Mapping[str, object] | None
    verdicts: tuple[VerdictRow, ...]


class WindowLedger:
    """Windows never overlap each other or the reference they are judged against."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def reference(self) -> StoredReference | None:
        """Return the newest reference, filled or not: the one that windows are judged against from now on."""
        with self._reads.begin() as connection:
            return newest_reference(connection)

    def close_aged_window(self, *, max_age_s: float, min_size: int, now: datetime) -> ClosedWindow | None:
        """Close the open window early if its oldest conversation was received ``max_age_s`` ago.

        A window of fewer than ``min_size`` conversations stays open. Nothing is written unless a window is due.
        """
        received_until = now - timedelta(seconds=max_age_s)
        with self._reads.begin() as connection:
            if _aged_window(connection, received_until, min_size) is None:
                return None
        with write(self._engine, "window.close") as connection:
            in_intake_order(connection)
            aged = _aged_window(connection, received_until, min_size)
            return None if aged is None else _close(connection, aged, now)

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

    def pass_over(self, rows: Callable[[int], VerdictRow], *, keep: int, seen: int, now: datetime) -> int:
        """Let go of waiting windows but the newest ``keep``; return how many.

        Those that the detector has not seen to their end (``seen``), and those in which it raised an alarm, wait on.
        ``rows`` gives the verdict on a window that is passed over, by its number: what the detector found.
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
            values = {"finding": "stable", "reference_id": reference.id, "judged_at": now}
            connection.execute(update(windows).where(windows.c.number.in_(numbers)).values(**values))
            connection.execute(insert(verdicts), [_verdict_values(rows(number)) for number in numbers])
        return len(numbers)

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
        """Write what all monitors said of a window. Examples that were forgotten meanwhile are left out, and with them
        the report.
        """
        with write(self._engine, "judgement") as connection:
            in_intake_order(connection)  # no example is being forgotten meanwhile
            values = {
                "finding": finding,
                "reference_id": reference_id,
                "explanation": _remembered(connection, explanation),
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
            found = _verdicts(connection, [row["number"] for row in rows])
        return [_judged(row, found) for row in rows]

    def newest_judged(self) -> int | None:
        """Return the number of the newest judged window."""
        query = select(func.max(windows.c.number)).where(windows.c.judged_at.is_not(None))
        with self._reads.begin() as connection:
            number: int | None = connection.scalar(query)
            return number

    def window(self, number: int) -> JudgedWindow | None:
        """Return one judged window."""
        query = select(windows).where((windows.c.number == number) & windows.c.judged_at.is_not(None))
        with self._reads.begin() as connection:
            row = connection.execute(query).mappings().first()
            return _judged(row, _verdicts(connection, [number])) if row else None

    def watched_from(self, reference: StoredReference) -> int:
        """Return the conversation after which a reference's detector begins: that before its first window to judge."""
        judged = select(func.max(windows.c.last_seq)).where(windows.c.judged_at.is_not(None))
        with self._reads.begin() as connection:
            return max(connection.scalar(judged) or 0, reference.range.last if reference.range else 0)

    def alarm(self, *, after_seq: int) -> Alarm | None:
        """Return the drift that stands against the current reference in conversations after ``after_seq``.

        It stands no longer once a decision says that it is harmless, or that training can't help.
        """
        with self._reads.begin() as connection:
            reference = newest_reference(connection)
            if reference is None:
                return None
            found = pending_alarm(_told(connection, reference.id, after_seq))
        if found is None:
            return None
        return Alarm(
            window=found.window,
            first_seq=found.first_seq,
            reason=found.reason,
            at=found.at,
            confirmed=found.confirmed,
            leading=found.leading_aspect,
        )


def _told(connection: Connection, reference_id: int, after_seq: int) -> Iterator[WindowEvidence]:
    """Return what judged windows say about alarms, from the first on in which one was raised."""
    verdict, window = verdicts.c, windows.c
    unanswered = window.number > answered_until(connection, reference_id)
    ours = (window.reference_id == reference_id) & (window.last_seq > after_seq) & unanswered
    joined = windows.join(verdicts, verdict.window == window.number)
    raised = (verdict.monitor == DETECTOR) & (verdict.finding == "drift") & ours
    first = connection.scalar(select(func.min(window.number)).select_from(joined).where(raised))
    if first is None:
        return
    columns = (window.number, window.judged_at, window.first_seq)
    told = (verdict.monitor, verdict.finding, verdict.reason, verdict.numbers)
    query = (
        select(*columns, *told)
        .select_from(joined)
        .where(ours & (window.number >= first) & (verdict.triggers | (verdict.monitor == DETECTOR)))
        .order_by(window.number)
    )
    for (number, at, first_seq), rows in groupby(connection.execute(query), key=lambda row: tuple(row[:3])):
        found = WindowEvidence(window=number, at=at)
        for *_, monitor, finding, reason, numbers in rows:
            if monitor != DETECTOR:
                confirms = {"drift": True, "stable": False}.get(finding)
                found = replace(found, confirms=confirms, reason=reason)
            elif finding == "drift":
                since = int(numbers.get("since_seq", first_seq))
                found = replace(
                    found, raised=reason, since_seq=since, leading_aspect=leading_aspect_of(numbers)
                )
        yield found


def _aged_window(connection: Connection, received_until: datetime, min_size: int) -> SeqRange | None:
    """Return the range of the open window if it is large enough and its oldest conversation is old enough."""
    start = window_start(connection)
    if start is None:
        return None
    columns = (
        func.count(),
        func.min(conversations.c.received_at),
        func.min(conversations.c.seq),
        func.max(conversations.c.seq),
    )
    count, oldest, first, last = connection.execute(select(*columns).where(conversations.c.seq > start)).one()
    if count < min_size or oldest is None or oldest > received_until:
        return None
    return SeqRange(first=first, last=last)


def window_start(connection: Connection) -> int | None:
    """Return the last conversation before the open window; None while the reference is not filled."""
    reference = newest_reference(connection)
    if reference is None or reference.range is None:
        return None
    last = connection.scalar(select(func.max(windows.c.last_seq))) or 0
    return max(last, reference.range.last)


def close_full_windows(connection: Connection, *, size: int, now: datetime) -> int:
    """Fill the reference where needed, then close every window that has ``size`` conversations; return how many."""
    fill_reference(connection)
    start = window_start(connection)
    if start is None:
        return 0
    seqs = connection.scalars(
        select(conversations.c.seq).where(conversations.c.seq > start).order_by(conversations.c.seq)
    ).all()
    full = [seqs[i : i + size] for i in range(0, len(seqs) - size + 1, size)]
    for members in full:
        _close(connection, SeqRange(first=members[0], last=members[-1]), now)
    return len(full)


def forget_examples(connection: Connection, seqs: Sequence[int], ids: Sequence[str]) -> None:
    """Take conversations out of the examples of the windows that held them."""
    if not seqs:
        return
    held = (windows.c.first_seq <= max(seqs)) & (windows.c.last_seq >= min(seqs))
    query = select(windows.c.number, windows.c.explanation).where(held & windows.c.judged_at.is_not(None))
    gone = frozenset(ids)
    for number, explanation in connection.execute(query).all():
        left = _with_examples(explanation, lambda id_: id_ not in gone)
        if left != explanation:
            connection.execute(update(windows).where(windows.c.number == number).values(explanation=left))
    forget_triage_examples(connection, ids)


def _remembered(
    connection: Connection, explanation: Mapping[str, object] | None
) -> Mapping[str, object] | None:
    named = (explanation or {}).get("examples")
    if not isinstance(named, Sequence):
        return explanation
    there = conversations.c.conversation_id.in_(list(named))
    known = set(connection.scalars(select(conversations.c.conversation_id).where(there)))
    return _with_examples(explanation, known.__contains__)


def _with_examples(
    explanation: Mapping[str, object] | None, wanted: Callable[[str], bool]
) -> Mapping[str, object] | None:
    named = (explanation or {}).get("examples")
    if explanation is None or not isinstance(named, Sequence):
        return explanation
    return {**explanation, "examples": [id_ for id_ in named if wanted(id_)]}


def close_window_at(connection: Connection, seq: int, *, now: datetime) -> None:
    """Close the open window with this conversation, if it has come so far."""
    start = window_start(connection)
    if start is None or seq <= start:
        return
    inside = (conversations.c.seq > start) & (conversations.c.seq <= seq)
    first = connection.scalar(select(func.min(conversations.c.seq)).where(inside))
    if first is not None:
        _close(connection, SeqRange(first=first, last=seq), now)


def _close(connection: Connection, span: SeqRange, now: datetime) -> ClosedWindow:
    number = (connection.scalar(select(func.max(windows.c.number))) or 0) + 1
    connection.execute(
        insert(windows).values(number=number, first_seq=span.first, last_seq=span.last, closed_at=now)
    )
    return ClosedWindow(number=number, range=span, closed_at=now)


def _window(row: RowMapping) -> ClosedWindow:
    return ClosedWindow(
        number=row["number"],
        range=SeqRange(first=row["first_seq"], last=row["last_seq"]),
        closed_at=row["closed_at"],
    )


def _judged(row: RowMapping, found: Mapping[int, list[VerdictRow]]) -> JudgedWindow:
    return JudgedWindow(
        window=_window(row),
        finding=row["finding"],
        judged_at=row["judged_at"],
        reference_id=row["reference_id"],
        explanation=row["explanation"],
        verdicts=tuple(found.get(row["number"], ())),
    )


def _verdicts(connection: Connection, numbers: Iterable[int]) -> dict[int, list[VerdictRow]]:
    query = (
        select(verdicts)
        .where(verdicts.c.window.in_(list(numbers)))
        .order_by(verdicts.c.window, verdicts.c.monitor)
    )
    found: dict[int, list[VerdictRow]] = {}
    for row in connection.execute(query).mappings():
        found.setdefault(row["window"], []).append(VerdictRow(**row))
    return found


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
