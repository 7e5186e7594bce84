"""Lessons: what each answer of a conversation teaches. Pure: everything that a lesson depends on is an argument."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from daemon.domain.conversation import Message

#: What a learner does with a lesson: imitate its answer, prefer it over another one, or avoid it.
Teaching: TypeAlias = Literal["imitate", "prefer", "avoid"]


class LessonKind(StrEnum):
    """A kind of lesson; labels metrics."""

    DEMONSTRATION = "demonstration"  # an answer by a person or another model: imitate it
    LIKED = "liked"  # an own answer that users liked: imitate it
    CORRECTION = "correction"  # imitate the corrected answer, and prefer it over the one that was given
    PREFERENCE = (
        "preference"  # two answers to one prompt: imitate the better one, and prefer it over the other
    )
    TEACHER = "teacher"  # a teacher's answer: imitate it, and prefer it over one that users disliked
    DISLIKED = "disliked"  # an answer that users disliked: never imitate it
    UNJUDGED = "unjudged"  # an own answer that nobody judged: not imitated, may serve as replay

    @property
    def imitated(self) -> bool:
        """Whether there is an answer to imitate."""
        return self not in (LessonKind.DISLIKED, LessonKind.UNJUDGED)


#: From the kind that says most to the one that says least.
_BY_WORTH = (
    LessonKind.CORRECTION,
    LessonKind.PREFERENCE,
    LessonKind.TEACHER,
    LessonKind.DEMONSTRATION,
    LessonKind.LIKED,
    LessonKind.DISLIKED,
    LessonKind.UNJUDGED,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LessonRules:
    """Whose answers are the model's own, and which opinions like or dislike one."""

    model_line: str
    own_names: frozenset[str]  # names by which producers call the model, besides its line and its versions
    people: tuple[str, ...] = ()  # patterns of the names of people who answer in the model's place
    #: Of a record that does not say who answered: whether the answer is the model's own.
    unnamed_is_own: bool = False
    liked_from: float = 0.5  # smallest score that likes, from -1 to 1
    disliked_to: float = -0.5  # largest score that dislikes

    def owns(self, version: str | None) -> bool:
        """Return whether the answers of a record that names this version are the model's own."""
        if version is None:
            return self.unnamed_is_own
        return version in self.own_names or _is_version_of(version, self.model_line)

    def likes(self, score: float | None) -> bool:
        return score is not None and score >= self.liked_from

    def dislikes(self, score: float | None) -> bool:
        return score is not None and score <= self.disliked_to

    def is_person(self, name: str | None) -> bool:
        return name is not None and any(fnmatchcase(name, pattern) for pattern in self.people)


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What is known of the answers that one record brought."""

    version: str | None  # who answered
    messages: tuple[Message, ...]
    score: float | None = None  # the newest opinion, from -1 to 1
    correction: str | None = None  # the newest, of the last answer
    rejected: Message | None = (
        None  # another answer to the last prompt that people liked less than the last one
    )
    taught: Message | None = None  # a teacher's answer to the last prompt


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """What one answer teaches."""

    kind: LessonKind
    index: int  # of the answer among the record's messages
    imitate: Message | None = None  # the answer to imitate; None: there is none
    rejected: Message | None = (
        None  # the answer that ``imitate`` is preferred over, or that is never imitated
    )

    @property
    def teaching(self) -> Teaching | None:
        """Return what a learner does with it; None: nothing."""
        if self.imitate is not None:
            return "imitate" if self.rejected is None else "prefer"
        return None if self.rejected is None else "avoid"


def lessons_of(judged: Judged, rules: LessonRules) -> tuple[Lesson, ...]:
    """Return what each answer teaches, in their order. Answers that producers keep from learning teach nothing.

    An opinion on a record counts for all of its answers; a correction, a rejected answer and a teacher's answer for the
    last one, and then the opinion for no other.
    """
    answers = answer_indexes(judged.messages)
    if not answers:
        return ()
    last = answers[-1]
    instead = _instead(judged, last, rules)
    about_all = judged.score if judged.correction is None else None
    earlier = answers[:-1] if instead else answers
    lessons = [_by_opinion(judged, index, about_all, rules) for index in earlier]
    return (*lessons, instead) if instead else tuple(lessons)


def answer_indexes(messages: Sequence[Message]) -> list[int]:
    """Return the indexes of the answers, but for those that producers keep from learning."""
    return [
        index for index, message in enumerate(messages) if message.role == "assistant" and message.learned
    ]


def main_kind(lessons: Iterable[Lesson]) -> LessonKind | None:
    """Return the kind by which a conversation with these lessons counts: the one that says most; None without a lesson."""
    kinds = {lesson.kind for lesson in lessons}
    return next((kind for kind in _BY_WORTH if kind in kinds), None)


def preferred(better: Lesson, worse: Lesson) -> Lesson:
    """Return the lesson of two answers to one prompt, of which users liked one and disliked the other."""
    return replace(better, kind=LessonKind.PREFERENCE, rejected=worse.rejected)


def _instead(judged: Judged, index: int, rules: LessonRules) -> Lesson | None:
    """Return the lesson of the last answer where there is another answer to its prompt; else None."""
    given = judged.messages[index]
    if judged.correction is not None and judged.correction.strip() == given.content.strip():
        return Lesson(kind=LessonKind.LIKED, index=index, imitate=given)
    if judged.correction is not None:
        return Lesson(
            kind=LessonKind.CORRECTION,
            index=index,
            imitate=Message(role="assistant", content=judged.correction, name=given.name),
            rejected=given,
        )
    if rules.dislikes(judged.score):
        if judged.taught is None:
            return None
        return Lesson(kind=LessonKind.TEACHER, index=index, imitate=judged.taught, rejected=given)
    if judged.rejected is not None:
        return Lesson(kind=LessonKind.PREFERENCE, index=index, imitate=given, rejected=judged.rejected)
    unjudged = _by_opinion(judged, index, judged.score, rules).kind is LessonKind.UNJUDGED
    if judged.taught is not None and unjudged:
        return Lesson(kind=LessonKind.TEACHER, index=index, imitate=judged.taught)
    return None


def _by_opinion(judged: Judged, index: int, score: float | None, rules: LessonRules) -> Lesson:
    given = judged.messages[index]
    if rules.dislikes(score):
        return Lesson(kind=LessonKind.DISLIKED, index=index, rejected=given)
    if not rules.owns(judged.version) or rules.is_person(given.name):
        return Lesson(kind=LessonKind.DEMONSTRATION, index=index, imitate=given)
    if rules.likes(score):
        return Lesson(kind=LessonKind.LIKED, index=index, imitate=given)
    return Lesson(kind=LessonKind.UNJUDGED, index=index)


def _is_version_of(name: str, line: str) -> bool:
    return name == line or re.fullmatch(rf"{re.escape(line)}-v[0-9]{{1,9}}", name) is not None
