"""Stores decisions about training, and the operators' requests that they answer."""

import dataclasses
from datetime import datetime

from sqlalchemy import Engine, RowMapping, func, insert, select, update

from daemon.domain.alarms import Triage
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.ledger.database import reader, write
from daemon.ledger.tables import decisions, runs, train_requests
from daemon.ledger.triages import link_decision


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ManualTrainRequest:
    """An operator's request for a training."""

    id: int
    at: datetime
    by: str
    reason: str


class DecisionLedger:
    """Decisions to train or not, in the order in which they were made."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def request_training(self, *, by: str, reason: str, now: datetime) -> int:
        """Store an operator's request for a training; return its id."""
        values = {"at": now, "by": by, "reason": reason}
        with write(self._engine, "wish") as connection:
            id_ = connection.scalar(insert(train_requests).values(**values).returning(train_requests.c.id))
            return int(id_ or 0)

    def open_request(self) -> ManualTrainRequest | None:
        """Return the newest request that no decision has answered."""
        columns = (train_requests.c.id, train_requests.c.at, train_requests.c.by, train_requests.c.reason)
        unanswered = train_requests.c.taken_at.is_(None)
        query = select(*columns).where(unanswered).order_by(train_requests.c.id.desc()).limit(1)
        with self._reads.begin() as connection:
            row = connection.execute(query).mappings().first()
            return ManualTrainRequest(**row) if row else None

    def decide(
        self, decision: Decision, *, answers: ManualTrainRequest | None = None, triage: Triage | None = None
    ) -> Decision:
        """Store a decision; return it with its id.

        The same transaction marks ``answers`` and all older requests as answered, and links ``triage`` to the decision.
        """
        values = dataclasses.asdict(decision)
        del values["id"], values["ground"]
        with write(self._engine, "decision") as connection:
            id_ = connection.scalar(insert(decisions).values(**values).returning(decisions.c.id))
            if answers is not None:
                where = (train_requests.c.id <= answers.id) & train_requests.c.taken_at.is_(None)
                connection.execute(update(train_requests).where(where).values(taken_at=decision.at))
            if triage is not None:
                link_decision(connection, id_, triage)
        return dataclasses.replace(decision, id=id_)

    def decision(self, id_: int) -> Decision | None:
        """Return one decision."""
        with self._reads.begin() as connection:
            row = connection.execute(select(decisions).where(decisions.c.id == id_)).mappings().first()
            return decision_of(row) if row else None

    def open_decision(self) -> Decision | None:
        """Return the newest decision to train, unless it or a later decision has led to a run."""
        last_with_run = select(func.coalesce(func.max(runs.c.decision_id), 0)).scalar_subquery()
        where = (decisions.c.action == Action.TRAIN) & (decisions.c.id > last_with_run)
        query = select(decisions).where(where).order_by(decisions.c.id.desc())
        with self._reads.begin() as connection:
            row = connection.execute(query).mappings().first()
            return decision_of(row) if row else None

    def recent(self, limit: int) -> list[Decision]:
        """Return the newest decisions, newest first."""
        query = select(decisions).order_by(decisions.c.id.desc()).limit(limit)
        with self._reads.begin() as connection:
            return [decision_of(row) for row in connection.execute(query).mappings()]

    def last_window_decided(self) -> int:
        """Return the number of the newest window that has a decision; 0 if none has."""
        with self._reads.begin() as connection:
            return connection.scalar(select(func.max(decisions.c.window))) or 0


def decision_of(row: RowMapping) -> Decision:
    """Convert a row of the decisions table."""
    trigger = Trigger(row["trigger"]) if row["trigger"] else None
    return Decision(**{**row, "trigger": trigger, "action": Action(row["action"])})
