"""The rules of lessons that the settings state."""

from pathlib import PurePath

from daemon.config.settings import Settings
from daemon.domain.conversation import HIGHEST_RATING, LOWEST_RATING
from daemon.domain.lessons import LessonRules


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


def _score(rating: float) -> float:
    """Return a rating as a score from -1 to 1, as ``Feedback.score`` does."""
    middle = (LOWEST_RATING + HIGHEST_RATING) / 2
    return (rating - middle) / (HIGHEST_RATING - middle)
