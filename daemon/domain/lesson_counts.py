"""Counts lessons by what is known of conversations, without their texts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from daemon.domain.conversation import Message
from daemon.domain.lessons import Judged, LessonKind, LessonRules, lessons_of


class OtherAnswer(StrEnum):
    """The best other answer that there is to the last prompt of a conversation."""

    CORRECTION = "correction"
    TAUGHT = "taught"  # a teacher's
    REJECTED = "rejected"  # one that people liked less than the last one


class Opinion(StrEnum):
    """What users think of an answer, as the rules take their score."""

    LIKED = "liked"
    DISLIKED = "disliked"


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerClass:
    """What decides which lessons a conversation holds. All conversations of a class hold the same."""

    version: str | None  # who answered
    opinion: Opinion | None = None
    other: OtherAnswer | None = None
    answers: int = 1  # those of its turns that may be learned
    answerer: str | None = None  # the name of the last answer


def other_answer(*, corrected: bool, rejected: bool) -> OtherAnswer | None:
    """Return the best other answer to the last prompt, of which lessons are made first."""
    if corrected:
        return OtherAnswer.CORRECTION
    return OtherAnswer.REJECTED if rejected else None


def count_lessons(classes: Mapping[AnswerClass, int], rules: LessonRules) -> Counter[LessonKind]:
    """Return the number of lessons of each kind in so many conversations of each class.

    All answers of a conversation count as given by who gave the last one.
    """
    found: Counter[LessonKind] = Counter()
    for one, conversations in classes.items():
        for lesson in lessons_of(_stand_in(one, rules), rules):
            found[lesson.kind] += conversations
    return found


def has_answer_to_imitate(one: AnswerClass, rules: LessonRules) -> bool:
    """Return whether conversations of a class have an answer to imitate."""
    return any(lesson.kind.imitated for lesson in lessons_of(_stand_in(one, rules), rules))


_REJECTED = Message(role="assistant", content="rejected")
_TAUGHT = Message(role="assistant", content="taught")


def _stand_in(one: AnswerClass, rules: LessonRules) -> Judged:
    """Return a conversation of a class, with other texts."""
    scores = {Opinion.LIKED: rules.liked_from, Opinion.DISLIKED: rules.disliked_to}
    return Judged(
        version=one.version,
        messages=(Message(role="assistant", content="given", name=one.answerer),) * one.answers,
        score=None if one.opinion is None else scores[one.opinion],
        correction="corrected" if one.other is OtherAnswer.CORRECTION else None,
        rejected=_REJECTED if one.other is OtherAnswer.REJECTED else None,
        taught=_TAUGHT if one.other is OtherAnswer.TAUGHT else None,
    )
