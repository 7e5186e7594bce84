"""Keeps decisions, operators' requests, runs and scores."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Integer,
    RowMapping,
    cast,
    exists,
    func,
    insert,
    select,
    update,
)

from daemon.domain.alarms import Triage
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.errors import ForgottenMeanwhile
from daemon.domain.records import Coordinates
from daemon.domain.runs import Run, RunState, TrainingRecord
from daemon.ledger.database import in_intake_order, insert_or_ignore, reader, write
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import (
    conversations,
    decisions,
    runs,
    scores,
    tombstones,
    train_requests,
    training_records,
)
from daemon.ledger.triages import answer


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ManualTrainRequest:
    """An operator asked for a training."""

    id: int
    at: datetime
    by: str
    reason: str


class TrainingLedger:
    """What was decided, and what became of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    # --- requests

    def ask(self, *, by: str, reason: str, now: datetime) -> int:
        """Note that an operator wants a training; return the request's id."""
        with write(self._engine, "wish") as connection:
            return int(
                connection.scalar(
                    insert(train_requests).values(at=now, by=by, reason=reason).returning(train_requests.c.id)
                )
                or 0
            )

    def open_request(self) -> ManualTrainRequest | None:
        """Return the newest request that no decision has answered."""
        query = (
            select(train_requests)
            .where(train_requests.c.taken_at.is_(None))
            .order_by(train_requests.c.id.desc())
            .limit(1)
        )
        with self._reads.begin() as connection:
            row = connection.execute(query).mappings().first()
            return (
                ManualTrainRequest(id=row["id"], at=row["at"], by=row["by"], reason=row["reason"])
                if row
                else None
            )

    # --- decisions

    def decide(
        self, decision: Decision, *, answers: ManualTrainRequest | None = None, triage: Triage | None = None
    ) -> Decision:
        """Write a decision, and with it that the request it answers (and older ones) are answered, and the triage."""
        values = dataclasses.asdict(decision)
        del values["id"]
        with write(self._engine, "decision") as connection:
            id_ = connection.scalar(insert(decisions).values(**values).returning(decisions.c.id))
            if answers is not None:
                where = (train_requests.c.id <= answers.id) & train_requests.c.taken_at.is_(None)
                connection.execute(update(train_requests).where(where).values(taken_at=decision.at))
            if triage is not None:
                answer(connection, id_, triage)
        return dataclasses.replace(decision, id=id_)

    def decision(self, id_: int) -> Decision | None:
        """Return one decision."""
        with self._reads.begin() as connection:
            row = connection.execute(select(decisions).where(decisions.c.id == id_)).mappings().first()
            return decision_of(row) if row else None

    def open_decision(self) -> Decision | None:
        """Return the newest decision to train, where neither it nor a later one has led to a run."""
        answered = select(func.coalesce(func.max(runs.c.decision_id), 0)).scalar_subquery()
        where = (decisions.c.action == Action.TRAIN) & (decisions.c.id > answered)
        with self._reads.begin() as connection:
            row = (
                connection.execute(select(decisions).where(where).order_by(decisions.c.id.desc()))
                .mappings()
                .first()
            )
            return decision_of(row) if row else None

    def recent_decisions(self, limit: int) -> list[Decision]:
        """Return the newest decisions, newest first."""
        query = select(decisions).order_by(decisions.c.id.desc()).limit(limit)
        with self._reads.begin() as connection:
            return [decision_of(row) for row in connection.execute(query).mappings()]

    def last_window_decided(self) -> int:
        """Return the newest window that a decision was made on; 0 where there is none."""
        with self._reads.begin() as connection:
            return connection.scalar(select(func.max(decisions.c.window))) or 0

    # --- runs

    def start_run(self, run: Run, records: Sequence[TrainingRecord] = ()) -> None:
        """Write that a run begins, and what it learns from. Raises ForgottenMeanwhile, and writes nothing then."""
        with write(self._engine, "run.start") as connection:
            in_intake_order(connection)  # nothing is being forgotten meanwhile
            _refuse_forgotten(connection, run, records)
            connection.execute(insert(runs).values(**dataclasses.asdict(run)))
            if records:
                rows = [_record_row(run.id, position, record) for position, record in enumerate(records)]
                connection.execute(insert(training_records), rows)

    def training_records(self, run_id: str) -> tuple[TrainingRecord, ...]:
        """Return what a run learned from, in the order of its training file."""
        query = (
            select(training_records)
            .where(training_records.c.run == run_id)
            .order_by(training_records.c.position)
        )
        with self._reads.begin() as connection:
            return tuple(_training_record(row) for row in connection.execute(query).mappings())

    def next_run_number(self) -> int:
        """Return the number of the next run, which no run had before. The newest run is never let go of."""
        number = cast(func.substr(runs.c.id, 2), Integer)
        with self._reads.begin() as connection:
            return (connection.scalar(select(func.max(number))) or 0) + 1

    def note_progress(self, run_id: str, progress: Mapping[str, object]) -> None:
        """Write how far a run is."""
        with write(self._engine, "run.progress") as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(progress=dict(progress)))

    def end_run(
        self,
        run_id: str,
        state: RunState,
        *,
        now: datetime,
        result: Mapping[str, object] | None = None,
        error: str | None = None,
    ) -> None:
        """Write how a run ended. A run that has ended stays as it is."""
        where = (runs.c.id == run_id) & (runs.c.state == RunState.RUNNING)
        values = {"state": state, "ended_at": now, "result": dict(result) if result else None, "error": error}
        with write(self._engine, "run.end") as connection:
            connection.execute(update(runs).where(where).values(**values))

    def run(self, run_id: str) -> Run | None:
        """Return one run."""
        with self._reads.begin() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id)).mappings().first()
            return _run(row) if row else None

    def running(self) -> Run | None:
        """Return the run that goes on, or was going on when the daemon stopped."""
        with self._reads.begin() as connection:
            row = connection.execute(select(runs).where(runs.c.state == RunState.RUNNING)).mappings().first()
            return _run(row) if row else None

    def recent_runs(self, limit: int) -> list[Run]:
        """Return the newest runs, newest first."""
        query = select(runs).order_by(runs.c.started_at.desc(), runs.c.id.desc()).limit(limit)
        with self._reads.begin() as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def learned_until(self) -> int:
        """Return the newest conversation that a finished run has learned from; 0 where there is none.

        Runs whose records were forgotten in part don't count: what else they learned is to be learned again.
        """
        erased = exists().where((training_records.c.run == runs.c.id) & training_records.c.erased)
        query = select(func.max(runs.c.until_seq)).where((runs.c.state == RunState.FINISHED) & ~erased)
        with self._reads.begin() as connection:
            return connection.scalar(query) or 0

    def last_ended(self) -> datetime | None:
        """Return when the last run ended, however it did."""
        with self._reads.begin() as connection:
            ended: datetime | None = connection.scalar(select(func.max(runs.c.ended_at)))
            return ended

    # --- scores

    def scores(self, version: str, seqs: Iterable[int]) -> dict[int, tuple[float, int]]:
        """Return (nll, tokens) of a version for those of the conversations that were scored before."""
        with self._reads.begin() as connection:
            asked = in_values(connection, scores.c.seq, seqs)
            query = select(scores.c.seq, scores.c.nll, scores.c.tokens)
            rows = connection.execute(query.where((scores.c.version == version) & asked))
            return {seq: (nll, tokens) for seq, nll, tokens in rows}

    def add_scores(self, version: str, found: Mapping[int, tuple[float, int]]) -> None:
        """Keep scores of a version, but for conversations that are gone since they were scored. The first score stays."""
        if found:
            with write(self._engine, "scores") as connection:
                put_scores(connection, version, found)


def put_scores(connection: Connection, version: str, found: Mapping[int, tuple[float, int]]) -> list[int]:
    """Write scores within a transaction; return the conversations that are still stored, in the order given."""
    in_intake_order(connection)  # nothing is being forgotten meanwhile
    stored = _existing(connection, list(found))
    rows: list[dict[str, Any]] = [
        {"version": version, "seq": seq, "nll": nll, "tokens": tokens}
        for seq, (nll, tokens) in found.items()
        if seq in stored
    ]
    if rows:
        connection.execute(insert_or_ignore(connection, scores), rows)
    return [row["seq"] for row in rows]


def _refuse_forgotten(connection: Connection, run: Run, records: Sequence[TrainingRecord]) -> None:
    gone = frozenset(connection.scalars(select(tombstones.c.subject)))
    found = sum(not gone.isdisjoint((record.group, record.conversation_hash)) for record in records)
    if found:
        raise ForgottenMeanwhile(
            f"{found} conversations of {run.id} were forgotten while it was planned; it is planned again"
        )


def _existing(connection: Connection, seqs: Sequence[int]) -> frozenset[int]:
    asked = in_values(connection, conversations.c.seq, seqs)
    return frozenset(connection.scalars(select(conversations.c.seq).where(asked)))


def decision_of(row: RowMapping) -> Decision:
    """Read a row of the decisions."""
    trigger = Trigger(row["trigger"]) if row["trigger"] else None
    return Decision(**{**row, "trigger": trigger, "action": Action(row["action"])})


def _record_row(run_id: str, position: int, record: TrainingRecord) -> dict[str, object]:
    return {
        "run": run_id,
        "position": position,
        "topic": record.at.topic,
        "partition": record.at.partition,
        "offset": record.at.offset,
        "sha256": record.sha256,
        "origin": record.origin,
        "group_key": record.group,
        "conversation_hash": record.conversation_hash,
        "erased": record.erased,
    }


def _training_record(row: RowMapping) -> TrainingRecord:
    return TrainingRecord(
        at=Coordinates(topic=row["topic"], partition=row["partition"], offset=row["offset"]),
        sha256=row["sha256"],
        origin=row["origin"],
        group=row["group_key"],
        conversation_hash=row["conversation_hash"],
        erased=row["erased"],
    )


def _run(row: RowMapping) -> Run:
    return Run(**{**row, "state": RunState(row["state"])})
