"""Stores triages: whether confirmed changes hurt, and which alarms are answered by that."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, exists, func, insert, select, update

from daemon.domain.alarms import Triage
from daemon.domain.decisions import Action, Decision
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, decisions, references, triages
from monitors.types import Outcome

#: Outcomes that lead to no training. The decision not to train answers the alarm.
_NO_TRAINING = (Outcome.IGNORE, Outcome.CANT_HELP)
#: After an alarm is answered without training, alarms in so many windows are ignored: after the first one, and at most.
#: The number doubles with each such alarm against one reference, because a change that stays is found again and again.
_PAUSE, _LONGEST_PAUSE = 4, 64


class TriageLedger:
    """The triages, at most one for each alarm."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def record(self, triage: Triage) -> None:
        """Store a triage, unless its alarm has one. Examples that were erased meanwhile are left out."""
        with write(self._engine, "triage") as connection:
            in_intake_order(connection)  # so that no example is erased meanwhile
            if connection.scalar(select(triages.c.id).where(triages.c.window == triage.window)) is None:
                connection.execute(insert(triages).values(**_values(connection, triage)))

    def of_window(self, window: int) -> Triage | None:
        """Return the triage of the alarm that was raised in a window."""
        with self._reads.begin() as connection:
            query = select(triages).where(triages.c.window == window)
            row = connection.execute(query).mappings().first()
            return None if row is None else _triage(row)

    def of_decision(self, decision: Decision) -> Triage | None:
        """Return the triage of the change that a decision was about."""
        query = (
            select(triages)
            .where((triages.c.since_seq == decision.since_seq) & (triages.c.at <= decision.at))
            .order_by(triages.c.id.desc())
            .limit(1)
        )
        with self._reads.begin() as connection:
            row = connection.execute(query).mappings().first()
            return None if row is None else _triage(row)

    def undecided(self) -> Triage | None:
        """Return the newest triage that no decision has taken into account."""
        query = select(triages).where(triages.c.decision_id.is_(None)).order_by(triages.c.id.desc()).limit(1)
        with self._reads.begin() as connection:
            row = connection.execute(query).mappings().first()
            return None if row is None else _triage(row)

    def harmless_change(self) -> Triage | None:
        """Return the newest triage that found the change from the newest reference harmless, once a decision said so too."""
        newest = select(func.max(references.c.id)).scalar_subquery()
        query = (
            select(triages)
            .where((triages.c.reference_id == newest) & (triages.c.outcome == Outcome.IGNORE) & _declined())
            .order_by(triages.c.id.desc())
            .limit(1)
        )
        with self._reads.begin() as connection:
            row = connection.execute(query).mappings().first()
            return None if row is None else _triage(row)

    def ignored_until(self, reference_id: int) -> int:
        """Return the last window in which alarms against a reference are ignored, see ``answered_until``."""
        with self._reads.begin() as connection:
            return answered_until(connection, reference_id)

    def count_answered(self, reference_id: int) -> int:
        """Count the alarms against a reference that were answered without training."""
        with self._reads.begin() as connection:
            return _answered(connection, reference_id)[0]

    def declined(self, reference_id: int, *, from_window: int) -> Triage | None:
        """Return the newest triage of an alarm of that window or a later one, if the decision on it was not to train."""
        of_change = (triages.c.reference_id == reference_id) & (triages.c.window >= from_window)
        newest = select(triages.c.id).where(of_change).order_by(triages.c.id.desc()).limit(1)
        without_training = triages.c.outcome.in_(_NO_TRAINING) & _declined()
        query = select(triages).where((triages.c.id == newest.scalar_subquery()) & without_training)
        with self._reads.begin() as connection:
            row = connection.execute(query).mappings().first()
            return None if row is None else _triage(row)

    def newest(self, limit: int) -> list[Triage]:
        """Return the newest triages, newest first."""
        query = select(triages).order_by(triages.c.id.desc()).limit(limit)
        with self._reads.begin() as connection:
            return [_triage(row) for row in connection.execute(query).mappings()]


def link_decision(connection: Connection, decision_id: int | None, triage: Triage) -> None:
    """Store that a decision took a triage into account."""
    this = triages.c.window == triage.window
    connection.execute(update(triages).where(this).values(decision_id=decision_id))


def answered_until(connection: Connection, reference_id: int) -> int:
    """Return the last window in which alarms against a reference are ignored, because one was answered without training.

    0 if none was.
    """
    times, last = _answered(connection, reference_id)
    return last + min(_PAUSE * 2 ** (times - 1), _LONGEST_PAUSE) if times else 0


def remove_triage_examples(connection: Connection, ids: Sequence[str]) -> None:
    """Remove conversations from the examples of triages."""
    removed = frozenset(ids)
    query = select(triages.c.id, triages.c.examples).where(triages.c.examples.is_not(None))
    for id_, examples in connection.execute(query).all():
        if not removed.isdisjoint(examples):
            remaining = [example for example in examples if example not in removed]
            connection.execute(update(triages).where(triages.c.id == id_).values(examples=remaining))


def _answered(connection: Connection, reference_id: int) -> tuple[int, int]:
    """Return how many alarms against a reference were answered without training, and the window of the last one."""
    query = select(func.count(), func.coalesce(func.max(triages.c.window), 0)).where(
        (triages.c.reference_id == reference_id) & triages.c.outcome.in_(_NO_TRAINING) & _declined()
    )
    count, last = connection.execute(query).one()
    return count, last


def _declined() -> ColumnElement[bool]:
    """Return the condition that the decision on a triage was not to train. An operator may have requested it anyway."""
    declined = (decisions.c.id == triages.c.decision_id) & (decisions.c.action == Action.NONE)
    return exists().where(declined)


def _values(connection: Connection, triage: Triage) -> Mapping[str, object]:
    named = in_values(connection, conversations.c.conversation_id, triage.examples)
    stored = frozenset(connection.scalars(select(conversations.c.conversation_id).where(named)))
    values = {
        **asdict(triage),
        "numbers": {name: value for name, value in triage.numbers.items() if math.isfinite(value)},
        "examples": [example for example in triage.examples if example in stored],
    }
    del values["id"]
    return values


def _triage(row: RowMapping) -> Triage:
    return Triage(**{**row, "outcome": Outcome(row["outcome"]), "examples": tuple(row["examples"] or ())})
