"""Keeps whether confirmed changes hurt, and tells which alarms are answered by that."""

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

#: With these nothing is trained: the decision that says so answers the alarm.
_NO_TRAINING = (Outcome.IGNORE, Outcome.CANT_HELP)
#: Windows in which a change that was answered without training raises no further alarm: the first time, and at most.
#: Each time against one reference they double, as a change that nobody heals is found again and again.
_PAUSE, _LONGEST_PAUSE = 4, 64


class TriageLedger:
    """One triage an alarm."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def record(self, triage: Triage) -> None:
        """Write a triage; an alarm that has one keeps it. Examples that were forgotten meanwhile are left out."""
        with write(self._engine, "triage") as connection:
            in_intake_order(connection)  # no example is being forgotten meanwhile
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
        """Return the triage by which the change from the newest reference is harmless, once that was decided."""
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

    def count_answered(self, reference_id: int) -> int:
        """Count the alarms against a reference that were answered without training."""
        with self._reads.begin() as connection:
            return _answered(connection, reference_id)[0]

    def newest(self, limit: int) -> list[Triage]:
        """Return the newest triages, newest first."""
        query = select(triages).order_by(triages.c.id.desc()).limit(limit)
        with self._reads.begin() as connection:
            return [_triage(row) for row in connection.execute(query).mappings()]


def link_decision(connection: Connection, decision_id: int | None, triage: Triage) -> None:
    """Write that a decision took a triage into account."""
    this = triages.c.window == triage.window
    connection.execute(update(triages).where(this).values(decision_id=decision_id))


def answered_until(connection: Connection, reference_id: int) -> int:
    """Return the window up to which alarms against a reference are answered; 0 where none is."""
    times, last = _answered(connection, reference_id)
    return last + min(_PAUSE * 2 ** (times - 1), _LONGEST_PAUSE) if times else 0


def remove_triage_examples(connection: Connection, ids: Sequence[str]) -> None:
    """Take conversations out of the examples of triages."""
    gone = frozenset(ids)
    query = select(triages.c.id, triages.c.examples).where(triages.c.examples.is_not(None))
    for id_, examples in connection.execute(query).all():
        if not gone.isdisjoint(examples):
            left = [example for example in examples if example not in gone]
            connection.execute(update(triages).where(triages.c.id == id_).values(examples=left))


def _answered(connection: Connection, reference_id: int) -> tuple[int, int]:
    """Return how many alarms against a reference were answered without training, and the window of the last."""
    query = select(func.count(), func.coalesce(func.max(triages.c.window), 0)).where(
        (triages.c.reference_id == reference_id) & triages.c.outcome.in_(_NO_TRAINING) & _declined()
    )
    count, last = connection.execute(query).one()
    return count, last


def _declined() -> ColumnElement[bool]:
    """Whether it was decided not to train; an operator may have wanted it all the same."""
    no = (decisions.c.id == triages.c.decision_id) & (decisions.c.action == Action.NONE)
    return exists().where(no)


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
