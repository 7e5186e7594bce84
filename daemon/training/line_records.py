"""Names the records that the lines of a training file are made of, and what is learned from each."""

from collections import Counter
from collections.abc import Iterable, Iterator

from daemon.domain.lessons import LessonKind, answer_indexes
from daemon.domain.records import StoredConversation
from daemon.domain.runs import TrainingRecord
from daemon.training.answer_lines import AnswerLine
from daemon.training.learned_lines import REPLAY, AnyLine
from daemon.training.lines import LearnedRow, Line
from daemon.training.trained_lesson import BY_RECORD, TrainedLesson, lesson_to_json


def line_records(lines: Iterable[AnyLine]) -> tuple[TrainingRecord, ...]:
    """Return the records of lines, in their order."""
    return tuple(record for number, line in enumerate(lines) for record in _records(line, number))


def learned_from(lines: Iterable[AnyLine], origin: str) -> dict[int, StoredConversation]:
    """Return the conversations of an origin with an answer that is learned, by seq."""
    return {
        row.conversation.seq: row.conversation
        for line in lines
        if line.origin == origin
        for row in _learned_rows(line)
    }


def count_lessons(lines: Iterable[AnyLine]) -> dict[str, int]:
    """Return how many lessons of each kind lines teach, those of replay as one kind."""
    found: Counter[str] = Counter()
    for line in lines:
        kind = REPLAY if line.origin == REPLAY else str(line.kind)
        found[kind] += sum(_count(row) for row in line.rows) if isinstance(line, Line) else 1
    order = [*map(str, LessonKind), REPLAY]
    return {kind: found[kind] for kind in order if found[kind]}


def _records(line: AnyLine, number: int) -> Iterator[TrainingRecord]:
    if isinstance(line, Line):
        lesson = TrainedLesson(kind=str(line.kind), weight=line.weight)
        joined = len(line.rows) > 1
        for row in line.rows:
            yield _record(row, line.origin, number, lesson, joined=joined)
        return
    conversation = line.conversation
    corrects = line.kind == LessonKind.CORRECTION
    lesson = TrainedLesson(
        kind=str(line.kind),
        teaching=line.teaching,
        index=line.index,
        correction=(conversation.corrected_by or BY_RECORD) if corrects else None,
        weight=line.weight,
    )
    yield _record(LearnedRow(conversation=conversation), line.origin, number, lesson)
    if line.worse is not None:
        index = answer_indexes(line.worse.messages)[-1]
        other = TrainedLesson(kind=str(line.kind), index=index, part="rejected")
        yield _record(LearnedRow(conversation=line.worse), line.origin, number, other)


def _record(
    row: LearnedRow, origin: str, number: int, lesson: TrainedLesson, *, joined: bool = False
) -> TrainingRecord:
    conversation = row.conversation
    return TrainingRecord(
        at=conversation.coordinates,
        sha256=conversation.record_sha256,
        origin=origin,
        group=conversation.group,
        conversation_hash=conversation.conversation_hash,
        line=number,
        continues=bool(conversation.history) or joined,
        unlearned=row.unlearned,
        lesson=lesson_to_json(lesson),
    )


def _learned_rows(line: AnyLine) -> Iterator[LearnedRow]:
    if isinstance(line, AnswerLine):
        yield LearnedRow(conversation=line.conversation)
    else:
        yield from (row for row in line.rows if _count(row))


def _count(row: LearnedRow) -> int:
    return len(answer_indexes(row.conversation.messages)) - len(row.unlearned)
