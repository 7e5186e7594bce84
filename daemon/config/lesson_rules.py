"""What the settings say of lessons."""

from pathlib import PurePath

from daemon.config.sections.lessons import LessonWeightsSection
from daemon.config.settings import Settings
from daemon.domain.conversation import HIGHEST_RATING, LOWEST_RATING
from daemon.domain.lessons import LessonKind, LessonRules
from learners.method_names import learns_from


def lesson_rules(settings: Settings) -> LessonRules:
    """Return whose answers are the model's own, and which opinions like or dislike one."""
    base, lessons = str(settings.model.base), settings.lessons
    return LessonRules(
        model_line=settings.model_line,
        own_names=frozenset({base, PurePath(base).name, *lessons.own_names}),
        people=lessons.people,
        unnamed_is_own=lessons.unnamed == "own",
        liked_from=_score(lessons.liked_from),
        disliked_to=_score(lessons.disliked_to),
    )


def learned_kinds(settings: Settings) -> frozenset[LessonKind]:
    """Return the kinds of lessons that the method learns from and that have a weight."""
    learned = learns_from(settings.learning.method)
    return frozenset(
        kind
        for kind in LessonKind
        if weight_of(kind, settings.lessons.weights) > 0
        and (("imitate" if kind.imitated else "avoid") in learned)
        and kind is not LessonKind.UNJUDGED
    )


def weight_of(kind: str, weights: LessonWeightsSection) -> float:
    """Return how much lessons of a kind count, or those of ``replay``; answers to avoid count 1."""
    weight: float = getattr(weights, kind, 1.0)
    return weight


def _score(rating: float) -> float:
    """Return a rating as a score from -1 to 1, as ``Feedback.score`` does."""
    middle = (LOWEST_RATING + HIGHEST_RATING) / 2
    return (rating - middle) / (HIGHEST_RATING - middle)
