"""Finds the held-out conversations that have an answer to imitate, by what is known of them without their texts."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, case, func, literal, select

from daemon.domain.lesson_counts import AnswerClass, Opinion, OtherAnswer, has_answer_to_imitate
from daemon.domain.lessons import LessonRules
from daemon.ledger.database import reader
from daemon.ledger.judgeable import judgeable
from daemon.ledger.tables import conversations

_column = conversations.c
#: By the label: PostgreSQL takes the same expression with parameters of its own for another one.
_GROUPED = (_column.version, "opinion", _column.other_answer, _column.answers, _column.answerer)


class HeldOutSeqs:
    """The seqs of held-out conversations that have an answer to imitate and that a version can be judged on."""

    def __init__(self, engine: Engine, rules: LessonRules) -> None:
        self._reads = reader(engine)
        self._rules = rules
        self._known: dict[
            AnswerClass, bool
        ] = {}  # whether conversations of a class have an answer to imitate

    def count(self, *, since: int = 1, before: int | None = None) -> int:
        """Count those with ``since`` <= seq < ``before``."""
        counted = select(func.count(), *self._class_columns())
        query = _held_out(counted, since, before).group_by(*_GROUPED)
        with self._reads.begin() as connection:
            return sum(count for count, *row in connection.execute(query) if self._is_lesson(row))

    def newest(self, limit: int, *, since: int) -> list[int]:
        """Return the newest ``limit`` from ``since`` on, in order."""
        query = _held_out(self._query(), since, None).order_by(_column.seq.desc())
        found: list[int] = []
        with self._reads.begin() as connection:
            for seq in self._lessons(connection, query):
                found.append(seq)
                if len(found) == limit:
                    break
        return found[::-1]

    def sample(self, limit: int, *, before: int, seed: int) -> list[int]:
        """Return a uniform sample of those before ``before``, in order. The same seed and ledger give the same sample."""
        query = _held_out(self._query(), 1, before).order_by(_column.seq)
        with self._reads.begin() as connection:
            seqs = list(self._lessons(connection, query))
        return sorted(random.Random(seed).sample(seqs, min(limit, len(seqs))))  # noqa: S311 - not a secret

    def _query(self) -> Select[*tuple[Any, ...]]:
        return select(_column.seq, *self._class_columns())

    def _class_columns(self) -> tuple[ColumnElement[Any], ...]:
        """Return what decides which lessons a conversation holds, as columns of a query."""
        opinion = case(
            (_column.feedback <= self._rules.disliked_to, literal(Opinion.DISLIKED.value)),
            (_column.feedback >= self._rules.liked_from, literal(Opinion.LIKED.value)),
        )
        others = (_column.other_answer, _column.answers, _column.answerer)
        return (_column.version, opinion.label("opinion"), *others)

    def _lessons(self, connection: Connection, query: Select[*tuple[Any, ...]]) -> Iterator[int]:
        for seq, *row in connection.execute(query):
            if self._is_lesson(row):
                yield seq

    def _is_lesson(self, row: Sequence[Any]) -> bool:
        version, thinks, other, answers, answerer = row
        one = AnswerClass(
            version=version,
            opinion=None if thinks is None else Opinion(thinks),
            other=None if other is None else OtherAnswer(other),
            answers=1 if answers is None else answers,
            answerer=answerer,
        )
        if one not in self._known:
            self._known[one] = has_answer_to_imitate(one, self._rules)
        return self._known[one]


def _held_out(query: Select[*tuple[Any, ...]], since: int, before: int | None) -> Select[*tuple[Any, ...]]:
    query = query.where(_column.held_out & (_column.seq >= since) & judgeable())
    return query if before is None else query.where(_column.seq < before)
