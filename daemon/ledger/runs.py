"""Stores training runs and the records that each learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
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

from daemon.domain.errors import ForgottenMeanwhile
from daemon.domain.records import Coordinates
from daemon.domain.runs import Run, RunState, TrainingRecord
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import runs, tombstones, training_records


class FailedRun(NamedTuple):
    """A run that failed, without its request, which can be large."""

    id: str
    error: str
    until_seq: int


class RunLedger:
    """Training runs. At most one is running."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def start(self, run: Run, records: Sequence[TrainingRecord] = ()) -> None:
        """Store a new run and the records that it learns from.

        Raises ForgottenMeanwhile, and stores nothing, if one of the records was erased since the run was planned.
        """
        with write(self._engine, "run.start") as connection:
            in_intake_order(connection)  # so that nothing is erased meanwhile
            _refuse_erased(connection, run, records)
            connection.execute(insert(runs).values(**asdict(run)))
            if records:
                rows = [_record_row(run.id, position, record) for position, record in enumerate(records)]
                connection.execute(insert(training_records), rows)

    def training_records(self, run_id: str) -> tuple[TrainingRecord, ...]:
        """Return the records of a run's training file, in its order."""
        query = (
            select(training_records)
            .where(training_records.c.run == run_id)
            .order_by(training_records.c.position)
        )
        with self._reads.begin() as connection:
            return tuple(_training_record(row) for row in connection.execute(query).mappings())

    def next_number(self) -> int:
        """Return the number for the next run. No number is used twice, because retention keeps the newest run."""
        number = cast(func.substr(runs.c.id, 2), Integer)
        with self._reads.begin() as connection:
            return (connection.scalar(select(func.max(number))) or 0) + 1

    def note_progress(self, run_id: str, progress: Mapping[str, object]) -> None:
        """Store the progress of a run."""
        with write(self._engine, "run.progress") as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(progress=dict(progress)))

    def end(
        self,
        run_id: str,
        state: RunState,
        *,
        now: datetime,
        result: Mapping[str, object] | None = None,
        error: str | None = None,
        skipped: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        """Store the end of a run. A run that has ended already is not changed.

        ``skipped`` are the lines of the training file, from 0, that the run did not learn from, by reason.
        """
        where = (runs.c.id == run_id) & (runs.c.state == RunState.RUNNING)
        values = {"state": state, "ended_at": now, "result": dict(result) if result else None, "error": error}
        with write(self._engine, "run.end") as connection:
            if connection.execute(update(runs).where(where).values(**values)).rowcount:
                _mark_skipped(connection, run_id, skipped or {})

    def run(self, run_id: str) -> Run | None:
        """Return one run."""
        with self._reads.begin() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id)).mappings().first()
            return _run(row) if row else None

    def running(self) -> Run | None:
        """Return the run in progress, which may be one that the end of a daemon interrupted."""
        with self._reads.begin() as connection:
            row = connection.execute(select(runs).where(runs.c.state == RunState.RUNNING)).mappings().first()
            return _run(row) if row else None

    def recent(self, limit: int) -> list[Run]:
        """Return the newest runs, newest first."""
        query = select(runs).order_by(runs.c.started_at.desc(), runs.c.id.desc()).limit(limit)
        with self._reads.begin() as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def newest_failure(self) -> FailedRun | None:
        """Return the newest run if it failed."""
        columns = (runs.c.id, runs.c.error, runs.c.until_seq, runs.c.state)
        query = select(*columns).order_by(runs.c.started_at.desc(), runs.c.id.desc()).limit(1)
        with self._reads.begin() as connection:
            row = connection.execute(query).first()
        if row is None or row.state != RunState.FAILED:
            return None
        return FailedRun(row.id, row.error or "", row.until_seq)

    def learned_until(self) -> int:
        """Return the seq of the newest conversation that a finished run has learned from; 0 if there is none.

        Runs with erased records do not count, so that their other records are learned again.
        """
        erased = exists().where((training_records.c.run == runs.c.id) & erased_after_learning())
        query = select(func.max(runs.c.until_seq)).where((runs.c.state == RunState.FINISHED) & ~erased)
        with self._reads.begin() as connection:
            return connection.scalar(query) or 0

    def last_ended(self) -> datetime | None:
        """Return when the last run ended, whatever its state."""
        with self._reads.begin() as connection:
            ended: datetime | None = connection.scalar(select(func.max(runs.c.ended_at)))
            return ended


def erased_after_learning() -> ColumnElement[bool]:
    """Return the condition that a run learned from a record that was erased since."""
    return training_records.c.erased & training_records.c.skipped.is_(None)


def _mark_skipped(connection: Connection, run_id: str, skipped: Mapping[str, Sequence[int]]) -> None:
    for reason, lines in skipped.items():
        line = func.coalesce(training_records.c.line, training_records.c.position)
        of_run = (training_records.c.run == run_id) & in_values(connection, line, lines)
        connection.execute(update(training_records).where(of_run).values(skipped=reason))


def _refuse_erased(connection: Connection, run: Run, records: Sequence[TrainingRecord]) -> None:
    erased = frozenset(connection.scalars(select(tombstones.c.subject)))
    count = sum(not erased.isdisjoint((record.group, record.conversation_hash)) for record in records)
    if count:
        raise ForgottenMeanwhile(
            f"{count} conversations of {run.id} were erased while the run was planned; it will be planned again"
        )


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
        "line": record.line,
        "continues": record.continues or None,
        "unlearned": list(record.unlearned) or None,
        "skipped": record.skipped,
        "lesson": None if record.lesson is None else dict(record.lesson),
    }


def _training_record(row: RowMapping) -> TrainingRecord:
    return TrainingRecord(
        at=Coordinates(topic=row["topic"], partition=row["partition"], offset=row["offset"]),
        sha256=row["sha256"],
        origin=row["origin"],
        group=row["group_key"],
        conversation_hash=row["conversation_hash"],
        erased=row["erased"],
        line=row["line"],
        continues=bool(row["continues"]),
        unlearned=tuple(row["unlearned"] or ()),
        skipped=row["skipped"],
        lesson=row["lesson"],
    )


def _run(row: RowMapping) -> Run:
    return Run(**{**row, "state": RunState(row["state"])})
