"""Has the good answers of held-out lessons scored after another lesson's prompt, too. Pure.

A version that learned answers that do not belong to their prompts finds good answers likely after any prompt: its loss
may fall all the same. So the gate compares by how much likelier a good answer is after its own prompt.
"""

import hashlib
from collections.abc import Mapping, Sequence

from daemon.ledger.lesson_scores import LessonPart
from daemon.release.held_out_lessons import HeldOutLesson, unlearned
from daemon.scoring.prompts import learners_messages
from learners.types import Conversation


def with_other_prompts(
    slices: Mapping[str, Sequence[HeldOutLesson]],
) -> dict[str, list[HeldOutLesson]]:
    """Return lessons with two more texts: the last good answer after its own prompt, and after another lesson's.

    The other lesson is of another user, asks something else and is answered otherwise; it is the next one of the slice
    by a digest, so that most stay together as lessons come in. Lessons without such a one stay as they are.
    """
    return {name: _paired(members) for name, members in slices.items()}


def _paired(members: Sequence[HeldOutLesson]) -> list[HeldOutLesson]:
    ordered = sorted(members, key=lambda one: hashlib.sha256(one.conversation_id.encode()).digest())
    places = {one.seq: place for place, one in enumerate(ordered)}
    return [_with_texts(one, _other(one, ordered, places[one.seq])) for one in members]


def _other(lesson: HeldOutLesson, ordered: Sequence[HeldOutLesson], place: int) -> HeldOutLesson | None:
    following = (*ordered[place + 1 :], *ordered[:place])
    return next(
        (
            other
            for other in following
            if other.question is not None
            and other.group != lesson.group
            and other.expected.prompt != lesson.expected.prompt
            and other.good.content != lesson.good.content
        ),
        None,
    )


def _with_texts(lesson: HeldOutLesson, other: HeldOutLesson | None) -> HeldOutLesson:
    if lesson.question is None or other is None or other.question is None:
        return lesson
    asked = {
        LessonPart.BETTER: (lesson.question, lesson.prompt),
        LessonPart.ELSEWHERE: (other.question, other.prompt),
    }
    return lesson.with_texts(
        {
            part: Conversation(
                id=f"{lesson.seq} {part}",
                messages=learners_messages([*unlearned(prompt), lesson.good]),
                tools=question.tools,
                documents=question.documents,
            )
            for part, (question, prompt) in asked.items()
            if part not in lesson.texts
        }
    )
