"""Counts the conversations of the ledger by what their lessons depend on, from two indexes alone."""

from collections import Counter

from sqlalchemy import ColumnElement, Connection, case, func, literal, null, or_, select, union_all

from daemon.domain.lesson_counts import AnswerClass, Opinion, OtherAnswer
from daemon.domain.lessons import LessonRules
from daemon.ledger.tables import conversations

_column = conversations.c
#: Of these conversations, lessons depend on more than who answered. An index has them alone.
_JUDGED = or_(
    _column.feedback.is_not(None),
    _column.other_answer.is_not(None),
    _column.answers.is_not(None),
    _column.answerer.is_not(None),
)


def answer_classes(
    connection: Connection, rules: LessonRules, *, held_out: bool, since: int, before: int | None
) -> Counter[AnswerClass]:
    """Return how many conversations of one side with ``since`` <= seq < ``before`` are of each class."""
    inside = _column.seq >= since
    if before is not None:
        inside &= _column.seq < before
    judged = _judged(connection, rules, (_column.held_out == held_out) & inside & _JUDGED)
    found = _by_version(connection, held_out, inside)
    for one, count in judged.items():
        found[AnswerClass(version=one.version)] -= count
    return +(found + judged)


def _judged(connection: Connection, rules: LessonRules, which: ColumnElement[bool]) -> Counter[AnswerClass]:
    opinion = case(
        (_column.feedback <= rules.disliked_to, literal(Opinion.DISLIKED.value)),
        (_column.feedback >= rules.liked_from, literal(Opinion.LIKED.value)),
    ).label("opinion")
    classes = (_column.version, opinion, _column.other_answer, _column.answers, _column.answerer)
    # By the label: PostgreSQL takes the same expression with parameters of its own for another one.
    grouped = (_column.version, "opinion", _column.other_answer, _column.answers, _column.answerer)
    found: Counter[AnswerClass] = Counter()
    query = select(*classes, func.count()).where(which).group_by(*grouped)
    for version, thinks, other, answers, answerer, count in connection.execute(query):
        one = AnswerClass(
            version=version,
            opinion=None if thinks is None else Opinion(thinks),
            other=None if other is None else OtherAnswer(other),
            answers=1 if answers is None else answers,
            answerer=answerer,
        )
        found[one] += count
    return found


def _by_version(connection: Connection, held_out: bool, inside: ColumnElement[bool]) -> Counter[AnswerClass]:
    """Return how many conversations each version answered, or nobody said who.

    SQLite sorts what it groups, so there each version is counted by itself, in its own part of an index.
    """
    version, side = _column.version, _column.held_out == held_out
    if connection.dialect.name != "sqlite":
        grouped = select(version, func.count()).where(side & inside).group_by(version)
        return Counter({AnswerClass(version=name): count for name, count in connection.execute(grouped)})
    names = select(func.min(version).label("version")).where(side).cte("names", recursive=True)
    after = select(func.min(version)).where(side & (version > names.c.version)).scalar_subquery()
    names = names.union_all(select(after).where(names.c.version.is_not(None)))
    counted = select(func.count()).where(side & inside & (version == names.c.version)).scalar_subquery()
    unnamed = select(func.count()).where(side & inside & version.is_(None)).scalar_subquery()
    query = union_all(
        select(names.c.version, counted).where(names.c.version.is_not(None)), select(null(), unnamed)
    )
    return Counter({AnswerClass(version=name): count for name, count in connection.execute(query)})
