"""Stores what a teacher was asked and what it answered, so that nothing is paid twice."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update

from daemon.domain.errors import DaemonError
from daemon.domain.teaching import (
    Asked,
    Reply,
    TeacherCall,
    TeacherOutcome,
    TeacherPurpose,
    TeacherRecord,
    TeacherSpending,
)
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.other_answers import name_other_answers
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, teacher_answers

_column = teacher_answers.c
#: Outcomes after which the same question is not asked again.
_FINAL = tuple(
    outcome.value
    for outcome in TeacherOutcome
    if not outcome.passing and outcome is not TeacherOutcome.ANSWERED
)
#: Failures that count against the question, and not against the endpoint.
_OF_QUESTION = tuple(
    outcome.value for outcome in TeacherOutcome if outcome.passing and not outcome.of_endpoint
)
_NOT_SENT = tuple(outcome.value for outcome in TeacherOutcome if not outcome.sent)


class NoSuchAnswer(DaemonError):
    """There is no such answer."""


class TeacherLedger:
    """The calls of a teacher, in the order in which they began."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def begin(self, call: TeacherCall, *, most: float, now: datetime) -> int:
        """Store a call that is about to begin, which may cost ``most``; return its number."""
        with write(self._engine, "teacher.begin") as connection:
            in_intake_order(connection)
            row = {
                "at": now,
                "purpose": call.purpose.value,
                "outcome": TeacherOutcome.UNFINISHED.value,
                "model": call.model,
                "seq": _if_stored(connection, call.seq),
                "digest": call.digest,
                "cost": most,
            }
            stored = insert(teacher_answers).values(row).returning(_column.id)
            number: int = connection.execute(stored).scalar_one()
        return number

    def finish(self, number: int, reply: Reply, *, answer: str | None, cost: float) -> None:
        """Store how a call ended. The text of an answer whose conversation was deleted meanwhile is dropped."""
        with write(self._engine, "teacher.finish") as connection:
            in_intake_order(connection)  # so that nothing is erased meanwhile
            found = connection.execute(
                select(_column.purpose, _column.seq, _column.digest).where(_column.id == number)
            ).one_or_none()
            if found is None:
                return
            of_nobody = found.purpose == TeacherPurpose.ANSWER and found.seq is None
            kept = not of_nobody and found.digest is not None
            connection.execute(
                update(teacher_answers)
                .where(_column.id == number)
                .values(
                    outcome=reply.outcome.value,
                    answer=answer if kept else None,
                    reason=(reply.reason or None) if kept else None,
                    input_tokens=reply.input_tokens,
                    output_tokens=reply.output_tokens,
                    cost=cost,
                )
            )
            if kept and answer is not None and found.seq is not None:
                name_other_answers(connection, conversations.c.seq == found.seq)

    def discard(self, number: int, *, reason: str) -> None:
        """Take an answer out: nothing learns it from now on, and the same model is not asked again. Raises NoSuchAnswer."""
        with write(self._engine, "teacher.discard") as connection:
            in_intake_order(connection)
            answered = (_column.id == number) & (_column.outcome == TeacherOutcome.ANSWERED.value)
            gone = {"outcome": TeacherOutcome.DISCARDED.value, "answer": None, "reason": reason}
            found = connection.execute(
                update(teacher_answers).where(answered).values(gone).returning(_column.seq)
            ).one_or_none()
            if found is None:
                raise NoSuchAnswer(
                    f"the teacher has no answer {number}; `retuned teacher answers` lists their numbers"
                )
            if found.seq is not None:
                name_other_answers(connection, conversations.c.seq == found.seq)

    def spent(self, since: datetime, until: datetime) -> TeacherSpending:
        """Return what the calls with ``since`` <= their time < ``until`` took, those included that go on."""
        sent = _column.outcome.not_in(_NOT_SENT)
        query = select(func.count(), func.sum(_column.cost)).where(
            (_column.at >= since) & (_column.at < until) & sent
        )
        with self._reads.begin() as connection:
            calls, money = connection.execute(query).one()
        return TeacherSpending(calls=calls, money=money or 0.0)

    def asked(self, digests: Collection[str], *, model: str) -> dict[str, Asked]:
        """Return what was asked before, by digest. What another model could not answer counts as not asked."""
        counts: dict[str, Counter[str]] = {}
        query = select(_column.digest, _column.outcome, _column.model, func.count()).group_by(
            _column.digest, _column.outcome, _column.model
        )
        with self._reads.begin() as connection:
            for digest, outcome, by, count in connection.execute(
                query.where(in_values(connection, _column.digest, digests))
            ):
                if by == model or outcome == TeacherOutcome.ANSWERED:
                    counts.setdefault(digest, Counter())[outcome] += count
        return {
            digest: Asked(
                answered=bool(found[TeacherOutcome.ANSWERED.value]),
                refused=any(found[outcome] for outcome in _FINAL),
                failed=sum(found[outcome] for outcome in _OF_QUESTION),
            )
            for digest, found in counts.items()
        }

    def answer(self, digest: str) -> str | None:
        """Return the newest answer to a question; None: there is none."""
        answered = (_column.outcome == TeacherOutcome.ANSWERED.value) & _column.answer.is_not(None)
        query = (
            select(_column.answer)
            .where(answered & (_column.digest == digest))
            .order_by(_column.id.desc())
            .limit(1)
        )
        with self._reads.begin() as connection:
            return connection.scalar(query)

    def newest(self, limit: int, *, failed: bool = False) -> list[TeacherRecord]:
        """Return the newest calls, newest first; ``failed``: those that ended without an answer alone."""
        query = select(teacher_answers).order_by(_column.id.desc()).limit(limit)
        if failed:
            query = query.where(_column.outcome.not_in((TeacherOutcome.ANSWERED, TeacherOutcome.UNFINISHED)))
        with self._reads.begin() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def outcomes(self) -> Mapping[tuple[TeacherPurpose, TeacherOutcome], int]:
        """Return the number of calls by purpose and outcome, as far as they are kept."""
        query = select(_column.purpose, _column.outcome, func.count()).group_by(
            _column.purpose, _column.outcome
        )
        with self._reads.begin() as connection:
            return {
                (TeacherPurpose(purpose), TeacherOutcome(outcome)): count
                for purpose, outcome, count in connection.execute(query)
            }

    def failing(self) -> tuple[int, TeacherRecord | None, TeacherRecord | None]:
        """Return how many calls have failed since the last one that was answered, the first and the last of these."""
        done = _column.outcome != TeacherOutcome.UNFINISHED.value
        answered = (
            select(func.coalesce(func.max(_column.id), 0))
            .where(_column.outcome.in_((TeacherOutcome.ANSWERED, TeacherOutcome.DISCARDED)))
            .scalar_subquery()
        )
        since = done & (_column.id > answered)
        with self._reads.begin() as connection:
            count, first, last = connection.execute(
                select(func.count(), func.min(_column.id), func.max(_column.id)).where(since)
            ).one()
            ends = select(teacher_answers).where(_column.id.in_((first, last))).order_by(_column.id)
            rows = [_record(row) for row in connection.execute(ends).mappings()] if count else [None]
        return count, rows[0], rows[-1]


def forget_answers(connection: Connection, seqs: Iterable[int], *, questions: bool) -> None:
    """Take the texts of these conversations out of the calls; what they took stays. ``questions``: also their digests."""
    gone: dict[str, None] = {"seq": None, "answer": None, "reason": None}
    if questions:
        gone["digest"] = None
    connection.execute(update(teacher_answers).where(in_values(connection, _column.seq, seqs)).values(gone))


def _if_stored(connection: Connection, seq: int | None) -> int | None:
    if seq is None:
        return None
    return connection.scalar(select(conversations.c.seq).where(conversations.c.seq == seq))


def _record(row: RowMapping) -> TeacherRecord:
    return TeacherRecord(
        id=row["id"],
        at=row["at"],
        purpose=TeacherPurpose(row["purpose"]),
        outcome=TeacherOutcome(row["outcome"]),
        model=row["model"],
        seq=row["seq"],
        answer=row["answer"],
        reason=row["reason"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cost=row["cost"],
    )
