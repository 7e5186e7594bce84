"""Names the best other answer that there is to the last prompt of conversations."""

from sqlalchemy import ColumnElement, Connection, case, exists, select, update

from daemon.domain.lesson_counts import OtherAnswer
from daemon.domain.teaching import TeacherOutcome, TeacherPurpose
from daemon.ledger.tables import conversations, teacher_answers

_column = conversations.c
_taught = teacher_answers.c
#: The calls by which a prompt got a teacher's answer.
IS_TAUGHT = (
    (_taught.purpose == TeacherPurpose.ANSWER.value)
    & (_taught.outcome == TeacherOutcome.ANSWERED.value)
    & _taught.answer.is_not(None)
)
#: The teacher's answer to the last prompt of a conversation, in a query of conversations.
TAUGHT_ANSWER = (
    select(_taught.answer)
    .where(IS_TAUGHT & (_taught.seq == _column.seq))
    .order_by(_taught.id.desc())
    .limit(1)
    .scalar_subquery()
)


def name_other_answers(connection: Connection, which: ColumnElement[bool]) -> None:
    """Name it anew in these conversations: a correction, else a teacher's answer, else one that people liked less."""
    corrected = _column.corrected_by.is_not(None) | _column.correction.is_not(None)
    best = case(
        (corrected, OtherAnswer.CORRECTION.value),
        (exists().where(IS_TAUGHT & (_taught.seq == _column.seq)), OtherAnswer.TAUGHT.value),
        (_column.rejected.is_not(None), OtherAnswer.REJECTED.value),
    )
    connection.execute(update(conversations).where(which).values(other_answer=best))
