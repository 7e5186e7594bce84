"""Reads what the verdicts on judged windows say about alarms."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from sqlalchemy import Connection, func, select

from daemon.ledger.tables import verdicts, windows
from daemon.ledger.triages import answered_until
from monitors.sequential.aspect_evidence import leading_aspect_of
from monitors.sequential.pending_alarm import DETECTOR, WindowEvidence


def window_evidence(connection: Connection, reference_id: int, after_seq: int) -> Iterator[WindowEvidence]:
    """Yield the evidence of each judged window, beginning with the first in which an unanswered alarm was raised."""
    verdict, window = verdicts.c, windows.c
    unanswered = window.number > answered_until(connection, reference_id)
    ours = (window.reference_id == reference_id) & (window.last_seq > after_seq) & unanswered
    joined = windows.join(verdicts, verdict.window == window.number)
    raised = (verdict.monitor == DETECTOR) & (verdict.finding == "drift") & ours
    first = connection.scalar(select(func.min(window.number)).select_from(joined).where(raised))
    if first is None:
        return
    columns = (window.number, window.judged_at, window.first_seq)
    verdict_columns = (verdict.monitor, verdict.finding, verdict.reason, verdict.numbers)
    query = (
        select(*columns, *verdict_columns)
        .select_from(joined)
        .where(ours & (window.number >= first) & (verdict.triggers | (verdict.monitor == DETECTOR)))
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
