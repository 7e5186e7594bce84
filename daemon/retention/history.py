"""Deletes old dead letters, windows, decisions and the like; keeps the provenance of versions."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Table,
    delete,
    func,
    null,
    select,
    true,
    union,
    update,
)

from daemon.config.settings import RetentionSection
from daemon.domain.runs import RunState
from daemon.ledger.database import write
from daemon.ledger.reference_rows import kept_reference_ids
from daemon.ledger.reports import drop_incomplete_reports, drop_old_reports
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import (
    alarms,
    dead_letters,
    decisions,
    detectors,
    freezes,
    gate_answers,
    halts,
    lesson_scores,
    losses,
    offset_changes,
    references,
    reports,
    runs,
    scores,
    teacher_answers,
    train_requests,
    training_records,
    triages,
    verdicts,
    windows,
)
from daemon.retention.conversations import PAGE

#: The tables that are pruned here.
HistoryTable: TypeAlias = Literal[
    "scores", "lesson_scores", "gate_answers", "losses", "dead_letters", "halts", "offset_changes", "train_requests", "training_records",
    "runs", "triages", "decisions", "windows", "reports", "alarms", "detectors", "reference_sets",
    "reference_freezes", "teacher_answers",
]  # fmt: skip


#: The newest runs without a version that are kept.
_FAILED_RUNS = 100
#: Calls of the teacher stay for as long as a clock that is set back may count them again.
_BUDGET_COUNTS = timedelta(days=7)


class HistoryRetention:
    """Prunes the tables other than the conversations, a page of each at a time."""

    def __init__(
        self, engine: Engine, limits: Callable[[], RetentionSection], *, failed_runs: int = _FAILED_RUNS
    ) -> None:
        """``failed_runs`` of the runs without a version are kept."""
        self._engine = engine
        self._read_limits = limits
        self._failed_runs = failed_runs

    @property
    def _limits(self) -> RetentionSection:
        return self._read_limits()

    def prune(self, now: datetime, *, scored: Collection[str]) -> dict[HistoryTable, int]:
        """Delete a page of old rows of each table; return how many were deleted, by table.

        ``scored`` are the versions whose scores, losses and answers are kept.
        """
        with write(self._engine, "retention.history") as connection:
            deleted: dict[HistoryTable, int] = {
                **_of_other_versions(connection, scored),
                "dead_letters": self._dead_letters(connection, now),
                **self._logs(connection),
                "teacher_answers": self._teacher_answers(connection, now),
                **self._runs(connection),
                **self._windows(connection),
            }
            if self._limits.max_age_days is not None:
                _remove_examples(connection, now - timedelta(days=self._limits.max_age_days))
        return {table: count for table, count in deleted.items() if count}

    def _dead_letters(self, connection: Connection, now: datetime) -> int:
        column = dead_letters.c
        days = min(self._limits.dead_letters_days, self._limits.max_age_days or math.inf)
        surplus = column.id <= _newest(connection, column.id) - self._limits.dead_letters
        old = column.at < now - timedelta(days=days)
        return _delete(connection, dead_letters, (surplus | old) & column.published_at.is_not(None))

    def _logs(self, connection: Connection) -> Mapping[HistoryTable, int]:
        """Delete old entries that are closed: cleared halts, ended freezes, answered requests, and changes of offsets."""

        def prune(table: Table, closed: ColumnElement[bool]) -> int:
            return _delete(connection, table, closed & self._is_old(connection, table.c.id))

        return {
            "halts": prune(halts, halts.c.cleared_at.is_not(None)),
            "offset_changes": prune(offset_changes, true()),
            "reference_freezes": prune(freezes, freezes.c.ended_at.is_not(None)),
            "train_requests": prune(train_requests, train_requests.c.taken_at.is_not(None)),
        }

    def _teacher_answers(self, connection: Connection, now: datetime) -> int:
        """Delete old calls whose conversations are gone; never those of a day whose budget may still be counted."""
        column = teacher_answers.c
        spent = column.at < now - _BUDGET_COUNTS
        return _delete(
            connection, teacher_answers, column.seq.is_(None) & spent & self._is_old(connection, column.id)
        )

    def _runs(self, connection: Connection) -> Mapping[HistoryTable, int]:
        """Delete old runs that failed or were cancelled, with their records. No version came from them."""
        failed = runs.c.state.in_((RunState.FAILED, RunState.CANCELLED))
        newest = select(runs.c.id).where(failed).order_by(runs.c.started_at.desc(), runs.c.id.desc())
        old = connection.scalars(newest.offset(self._failed_runs).limit(PAGE)).all()
        return {
            "training_records": _delete_all(connection, training_records.c.run, old),
            "runs": _delete_all(connection, runs.c.id, old),
        }

    def _windows(self, connection: Connection) -> Mapping[HistoryTable, int]:
        """Delete decisions without a run, then windows without a decision, then references without a window."""
        led_to_run = decisions.c.id.in_(select(runs.c.decision_id))
        without_run = triages.c.decision_id.not_in(select(runs.c.decision_id))
        triaged = _delete(connection, triages, self._is_old(connection, triages.c.id) & without_run)
        triage_decisions = select(triages.c.decision_id).where(triages.c.decision_id.is_not(None))
        unneeded = (
            self._is_old(connection, decisions.c.id) & ~led_to_run & decisions.c.id.not_in(triage_decisions)
        )
        decided = _delete(connection, decisions, unneeded)
        named = union(
            select(decisions.c.window).where(decisions.c.window.is_not(None)), select(triages.c.window)
        )
        old = (
            windows.c.judged_at.is_not(None)
            & self._is_old(connection, windows.c.number)
            & windows.c.number.not_in(named)
        )
        numbers = connection.scalars(select(windows.c.number).where(old).limit(PAGE)).all()
        _delete_all(connection, verdicts.c.window, numbers)
        _delete_all(connection, reports.c.window, numbers)
        judged = _delete_all(connection, windows.c.number, numbers)
        raised = _delete(connection, alarms, self._is_old(connection, alarms.c.id))
        compared = select(windows.c.reference_id).where(windows.c.reference_id.is_not(None))
        unused = (
            references.c.id.not_in(compared)
            & references.c.id.not_in(select(triages.c.reference_id))
            & references.c.id.not_in(select(alarms.c.reference_id))
            & references.c.id.not_in(kept_reference_ids())
        )
        watched = detectors.c.reference_id.in_(select(references.c.id).where(unused))
        return {
            "triages": triaged,
            "decisions": decided,
            "windows": judged,
            "reports": len(drop_incomplete_reports(connection))
            + drop_old_reports(connection, keep=self._limits.reports),
            "alarms": raised,
            "detectors": _delete(connection, detectors, watched),
            "reference_sets": _delete(connection, references, unused),
        }

    def _is_old(self, connection: Connection, number: ColumnElement[int]) -> ColumnElement[bool]:
        return number <= _newest(connection, number) - self._limits.history


def _of_other_versions(connection: Connection, scored: Collection[str]) -> dict[HistoryTable, int]:
    """Delete what was computed with versions that no gate compares any more."""
    of_versions: dict[HistoryTable, Table] = {
        "scores": scores,
        "lesson_scores": lesson_scores,
        "gate_answers": gate_answers,
        "losses": losses,
    }
    return {
        name: _delete(connection, table, ~in_values(connection, table.c.version, scored))
        for name, table in of_versions.items()
    }


def _newest(connection: Connection, number: ColumnElement[int]) -> int:
    return connection.scalar(select(func.max(number))) or 0


def _delete(connection: Connection, table: Table, which: ColumnElement[bool]) -> int:
    """Delete a page of the rows that meet a condition; return how many."""
    key = list(table.primary_key)
    first = select(*key).where(which).limit(PAGE)
    rows = connection.execute(first).all()
    if not rows:
        return 0
    if len(key) == 1:
        which = in_values(connection, key[0], [row[0] for row in rows])
    return connection.execute(delete(table).where(which)).rowcount


def _delete_all(connection: Connection, key: Column[Any], values: Sequence[Any]) -> int:
    """Delete the rows with one of these values; return how many."""
    if not values:
        return 0
    return connection.execute(delete(key.table).where(in_values(connection, key, values))).rowcount


def _remove_examples(connection: Connection, until: datetime) -> None:
    """Delete the explanations and examples of that time: they quote or name conversations, which are deleted as well."""
    old = (windows.c.judged_at < until) & windows.c.explanation.is_not(None)
    connection.execute(update(windows).where(old).values(explanation=null()))
    named = (triages.c.at < until) & triages.c.examples.is_not(None)
    connection.execute(update(triages).where(named).values(examples=null()))
