"""Reads what happened lately from alarm to promotion, and what led to it, for traces."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, or_, select

from daemon.domain.decisions import Action, Trigger
from daemon.ledger.database import reader
from daemon.ledger.tables import alarms, conversations, decisions, runs, triages, windows
from registry.codec import report_from_json
from registry.tables import gate_reports
from registry.types import GateReport

#: The newest of a kind that are looked at.
_NEWEST = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmFact:
    """An alarm that the detector raised, the first about its change."""

    since_seq: int  # where the change began
    began: (
        datetime  # when its first conversation was stored; when the alarm was raised, where that is deleted
    )
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedFact:
    """A window that was judged."""

    number: int
    closed_at: datetime
    at: datetime
    finding: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TriageFact:
    """Whether a change hurts."""

    since_seq: int
    at: datetime
    outcome: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionFact:
    """A decision that a run or a triage belongs to."""

    id: int
    since_seq: int
    trigger: str | None
    action: str
    at: datetime

    @property
    def on_drift(self) -> bool:
        """Whether a change of the stream led to it."""
        return self.trigger == Trigger.DRIFT


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFact:
    """A training."""

    id: str
    decision: int
    state: str
    started_at: datetime
    ended_at: datetime | None
    error: str | None


class TraceFacts:
    """Facts by their time, and those that led to them. Reads a few rows each."""

    def __init__(self, engine: Engine) -> None:
        self._reads = reader(engine)

    def alarms(self, since: datetime) -> list[AlarmFact]:
        """Return the alarms that were raised since a moment."""
        first = func.min(alarms.c.at)
        query = select(alarms.c.since_seq).group_by(alarms.c.since_seq).having(first >= since).limit(_NEWEST)
        with self._reads.begin() as connection:
            found = (_alarm(connection, seq) for seq in connection.scalars(query).all())
            return [alarm for alarm in found if alarm is not None]

    def alarm(self, since_seq: int) -> AlarmFact | None:
        """Return the alarm about a change."""
        with self._reads.begin() as connection:
            return _alarm(connection, since_seq)

    def judged(self, after: datetime, until: datetime) -> list[JudgedFact]:
        """Return the windows that were judged in a span of time, oldest first."""
        query = (
            select(windows.c.number, windows.c.closed_at, windows.c.judged_at, windows.c.finding)
            .where((windows.c.judged_at > after) & (windows.c.judged_at <= until))
            .order_by(windows.c.number)
            .limit(_NEWEST)
        )
        with self._reads.begin() as connection:
            return [
                JudgedFact(number=number, closed_at=closed_at, at=at, finding=finding or "")
                for number, closed_at, at, finding in connection.execute(query)
            ]

    def triages(self, since: datetime) -> list[TriageFact]:
        """Return the triages since a moment."""
        query = select(triages).where(triages.c.at >= since).order_by(triages.c.id).limit(_NEWEST)
        with self._reads.begin() as connection:
            return [_triage(row.since_seq, row.at, row.outcome) for row in connection.execute(query)]

    def triage(self, since_seq: int) -> TriageFact | None:
        """Return the newest triage of a change."""
        query = select(triages).where(triages.c.since_seq == since_seq).order_by(triages.c.id.desc()).limit(1)
        with self._reads.begin() as connection:
            row = connection.execute(query).first()
        return None if row is None else _triage(row.since_seq, row.at, row.outcome)

    def decisions(self, since: datetime) -> list[DecisionFact]:
        """Return the decisions since a moment that started a training, or that took a triage into account."""
        of_triage = select(triages.c.decision_id).where(triages.c.decision_id.is_not(None))
        tells = or_(decisions.c.action == Action.TRAIN, decisions.c.id.in_(of_triage))
        query = select(decisions).where((decisions.c.at >= since) & tells).order_by(decisions.c.id)
        with self._reads.begin() as connection:
            return [_decision(row) for row in connection.execute(query.limit(_NEWEST))]

    def decision(self, id_: int) -> DecisionFact | None:
        """Return a decision."""
        with self._reads.begin() as connection:
            row = connection.execute(select(decisions).where(decisions.c.id == id_)).first()
        return None if row is None else _decision(row)

    def runs(self, since: datetime) -> list[RunFact]:
        """Return the runs that began or ended since a moment."""
        recent = (runs.c.started_at >= since) | (runs.c.ended_at >= since)
        query = select(*_RUN).where(recent).order_by(runs.c.started_at).limit(_NEWEST)
        with self._reads.begin() as connection:
            return [_run(row) for row in connection.execute(query)]

    def run(self, id_: str) -> RunFact | None:
        """Return a run."""
        with self._reads.begin() as connection:
            row = connection.execute(select(*_RUN).where(runs.c.id == id_)).first()
        return None if row is None else _run(row)

    def newest_run(self) -> str | None:
        """Return the id of the run that began last."""
        with self._reads.begin() as connection:
            return connection.scalar(select(runs.c.id).order_by(runs.c.started_at.desc()).limit(1))

    def gate_reports(self, model_line: str) -> Sequence[tuple[int, datetime, GateReport]]:
        """Return the newest looks of the gate, oldest first: the version's number, when, and the report."""
        query = (
            select(gate_reports.c.number, gate_reports.c.at, gate_reports.c.document)
            .where(gate_reports.c.model_line == model_line)
            .order_by(gate_reports.c.number.desc(), gate_reports.c.look.desc())
            .limit(_NEWEST)
        )
        with self._reads.begin() as connection:
            found = connection.execute(query).all()
        return [
            (number, datetime.fromisoformat(at), report_from_json(document))
            for number, at, document in reversed(found)
        ]


_RUN = (runs.c.id, runs.c.decision_id, runs.c.state, runs.c.started_at, runs.c.ended_at, runs.c.error)


def _alarm(connection: Connection, since_seq: int) -> AlarmFact | None:
    query = select(func.min(alarms.c.at)).where(alarms.c.since_seq == since_seq)
    at: datetime | None = connection.scalar(query)
    if at is None:
        return None
    first = select(conversations.c.received_at).where(conversations.c.seq == since_seq)
    began: datetime | None = connection.scalar(first)
    return AlarmFact(since_seq=since_seq, began=min(began or at, at), at=at)


def _triage(since_seq: int, at: datetime, outcome: str) -> TriageFact:
    return TriageFact(since_seq=since_seq, at=at, outcome=outcome)


def _decision(row: Row[*tuple[Any, ...]]) -> DecisionFact:
    return DecisionFact(id=row.id, since_seq=row.since_seq, trigger=row.trigger, action=row.action, at=row.at)


def _run(row: Row[*tuple[Any, ...]]) -> RunFact:
    return RunFact(
        id=row.id,
        decision=row.decision_id,
        state=row.state,
        started_at=row.started_at,
        ended_at=row.ended_at,
        error=row.error,
    )
