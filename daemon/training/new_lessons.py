"""How many new lessons there are for a training, and what came besides that teaches nothing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from daemon.config.lesson_rules import learned_kinds, lesson_rules
from daemon.config.settings import Settings
from daemon.domain.left_out import LIKED_BEYOND, NO_PAIR, ONE_SIDED, left_out_words, why_not_learned
from daemon.domain.lessons import LessonKind, LessonRules, Teaching
from daemon.training.liked_share import most_liked
from learners.method_names import MethodName, needs

#: What ends a stream without lessons.
NO_LESSONS_REMEDY = (
    "send users' opinions of the answers (feedback), or corrections; where people or another model wrote them, name these in "
    "model_version or lessons.people"
)
#: Fewer answers without a lesson say nothing about a stream.
_FEWEST = 20

#: What lines of these kinds teach where all that they can have is there; those of the others teach to imitate.
_TEACHES: Mapping[LessonKind, Teaching] = {
    LessonKind.CORRECTION: "prefer",
    LessonKind.PREFERENCE: "prefer",
    LessonKind.TEACHER: "prefer",
    LessonKind.DISLIKED: "avoid",
}
#: Why lessons wait for others, by method.
_LACKING: Mapping[MethodName, str] = {"dpo": NO_PAIR, "kto": ONE_SIDED}


class LessonCounter(Protocol):
    """Counts the lessons in conversations."""

    def lesson_counts(
        self, rules: LessonRules, *, held_out: bool, since: int = 1, before: int | None = None
    ) -> Mapping[LessonKind, int]:
        """Return the number of lessons of each kind in conversations of one side with ``since`` <= seq < ``before``."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class NewLessons:
    """Lessons in the trainable conversations since a certain one."""

    learned: Mapping[LessonKind, int] = field(default_factory=dict)  # that a training would learn
    besides: Mapping[str, int] = field(default_factory=dict)  # answers that it would not, by reason

    @property
    def count(self) -> int:
        """How many a training would learn, before it leaves out copies and held-out words."""
        return sum(self.learned.values())

    @property
    def besides_words(self) -> str | None:
        """What teaches nothing, in words; None if there is nothing of the kind."""
        return left_out_words(self.besides) or None

    @property
    def problem(self) -> str | None:
        """Why nothing can be learned although conversations come; None where something can, or hardly any came."""
        answers = sum(self.besides.values())
        if self.count or answers < _FEWEST:
            return None
        return (
            f"none of the {answers:,} answers since the last training can be learned ({self.besides_words})"
        )

    @property
    def remedy(self) -> str:
        """What to do about the problem."""
        return NO_LESSONS_REMEDY


def count_new_lessons(ledger: LessonCounter, settings: Settings, *, since: int) -> NewLessons:
    """Count the lessons in the trainable conversations from ``since`` on."""
    counts = ledger.lesson_counts(lesson_rules(settings), held_out=False, since=since)
    kinds = learned_kinds(settings)
    learned = {kind: counts.get(kind, 0) for kind in LessonKind if kind in kinds and counts.get(kind, 0)}
    besides: dict[str, int] = {}
    for kind, count in counts.items():
        if kind not in kinds and count:
            reason = why_not_learned(kind)
            besides[reason] = besides.get(reason, 0) + count
    liked = learned.get(LessonKind.LIKED, 0)
    most = most_liked(sum(learned.values()) - liked, settings.lessons.liked_share)
    if liked > most:
        learned[LessonKind.LIKED] = most
        besides[LIKED_BEYOND] = liked - most
    method = settings.learning.method
    if learned and _lacks(method, learned):
        besides[_LACKING[method]] = sum(learned.values())
        learned = {}
    return NewLessons(learned=learned, besides=besides)


def _lacks(method: MethodName, learned: Collection[LessonKind]) -> bool:
    """Return whether the method can't learn from these kinds of lessons without others."""
    taught = {_TEACHES.get(kind, "imitate") for kind in learned}
    return any(not taught & wanted for wanted in needs(method))
