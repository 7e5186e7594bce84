"""Reads what the verdicts on judged windows say about alarms."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from sqlalchemy import ColumnElement, Connection, func, select

from daemon.ledger.tables import verdicts, windows
from daemon.ledger.triages import answered_until
from monitors.sequential.aspect_evidence import leading_aspect_of
from monitors.sequential.pending_alarm import DETECTOR, WindowEvidence

_JOINED = windows.join(verdicts, verdicts.c.window == windows.c.number)


@dataclass(frozen=True, kw_only=True, slots=True)
class RaisedWindow:
    """A judged window in which the detector raised an alarm."""

    number: int
    reference_id: int
    first_seq: int
    last_seq: int
    seq: int  # the conversation that raised it
    since_seq: int  # where the change began, by the detector's estimate


def window_evidence(connection: Connection, reference_id: int, after_seq: int) -> Iterator[WindowEvidence]:
    """Yield the evidence of each judged window, beginning with the first in which an unanswered alarm was raised."""
    window = windows.c
    unanswered = window.number > answered_until(connection, reference_id)
    of_answer = (window.last_seq > after_seq) & unanswered
    query = select(func.min(window.number)).select_from(_JOINED).where(_raised(reference_id) & of_answer)
    first = connection.scalar(query)
    if first is not None:
        yield from evidence_from(connection, reference_id, first, after_seq=after_seq)


def evidence_from(
    connection: Connection, reference_id: int, first: int, *, after_seq: int = 0
) -> Iterator[WindowEvidence]:
    """Yield the evidence of each judged window from the number ``first`` on, whether or not an alarm is answered."""
    verdict, window = verdicts.c, windows.c
    ours = (window.reference_id == reference_id) & (window.number >= first) & (window.last_seq > after_seq)
    columns = (window.number, window.judged_at, window.first_seq)
    verdict_columns = (verdict.monitor, verdict.finding, verdict.reason, verdict.numbers)
    query = (
        select(*columns, *verdict_columns)
        .select_from(_JOINED)
        .where(ours & (verdict.triggers | (verdict.monitor == DETECTOR)))
        .order_by(window.number)
    )
    for (number, at, first_seq), rows in groupby(connection.execute(query), key=lambda row: tuple(row[:3])):
        evidence = WindowEvidence(window=number, at=at)
        for *_, monitor, finding, reason, numbers in rows:
            if monitor != DETECTOR:
                confirms = {"drift": True, "stable": False}.get(finding)
                evidence = replace(evidence, confirms=confirms, reason=reason)
            elif finding == "drift":
                since = int(numbers.get("since_seq", first_seq))
                evidence = replace(
                    evidence, raised=reason, since_seq=since, leading_aspect=leading_aspect_of(numbers)
                )
        yield evidence


def raised_windows(connection: Connection, reference_id: int, limit: int) -> list[RaisedWindow]:
    """Return the newest ``limit`` judged windows in which an alarm was raised against a reference, in order."""
    columns = (windows.c.number, windows.c.first_seq, windows.c.last_seq, verdicts.c.numbers)
    query = select(*columns).select_from(_JOINED).where(_raised(reference_id))
    rows = connection.execute(query.order_by(windows.c.number.desc()).limit(limit)).all()
    return [
        RaisedWindow(
            number=number,
            reference_id=reference_id,
            first_seq=first,
            last_seq=last,
            seq=int(numbers.get("seq", last)),
            since_seq=int(numbers.get("since_seq", first)),
        )
        for number, first, last, numbers in reversed(rows)
    ]


def _raised(reference_id: int) -> ColumnElement[bool]:
    found = (verdicts.c.monitor == DETECTOR) & (verdicts.c.finding == "drift")
    return found & (windows.c.reference_id == reference_id)
