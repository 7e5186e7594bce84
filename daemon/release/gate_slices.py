"""Makes the slices and figures of held-out lessons from both versions' scores. Pure."""

import math
from collections.abc import Mapping, Sequence

from daemon.ledger.lesson_scores import LessonPart, ScoredPart
from daemon.release.answers.agreement import reply_margins
from daemon.release.held_out import NEW, OLD
from daemon.release.held_out_lessons import HeldOutLesson
from daemon.release.lesson_scoring import VersionScores
from registry.gate import (
    PROTECTED,
    TARGET,
    Pair,
    ScoredAnswer,
    SliceData,
    margin_pair,
    preference_margin,
)
from registry.types import Figure, Measure

#: The slice of held-out pairs of answers.
PREFERRED = "preferred answers"
#: Figures of the report.
ACCURACY, AGREEMENT = "preference accuracy", "margin of agreeing with false claims"
_ROLES = {NEW: TARGET, OLD: PROTECTED}


def lesson_slices(
    lessons: Mapping[str, Sequence[HeldOutLesson]],
    live: VersionScores,
    candidate: VersionScores,
) -> list[SliceData]:
    """Return the slices of new and old lessons, and of pairs where there are any. Lessons without tokens are left out."""
    slices = [
        SliceData(name=name, role=_ROLES[name], pairs=_losses(members, live, candidate))
        for name, members in lessons.items()
        if members or name == NEW
    ]
    margins = _margins(lessons, live, candidate)
    if margins:
        slices.append(SliceData(name=PREFERRED, role=PROTECTED, pairs=margins, measure=Measure.MARGIN))
    return slices


def score_figures(
    lessons: Mapping[str, Sequence[HeldOutLesson]], live: VersionScores, candidate: VersionScores
) -> list[Figure]:
    """Return the share of pairs of which a version finds the better answer likelier, and how it takes false claims."""
    figures = []
    if margins := _margins(lessons, live, candidate):
        figures.append(
            Figure(
                name=ACCURACY,
                live=sum(pair.live_nll < 0 for pair in margins) / len(margins),
                candidate=sum(pair.candidate_nll < 0 for pair in margins) / len(margins),
                count=len(margins),
            )
        )
    agreeing = [reply_margins(scores.of_replies) for scores in (live, candidate)]
    if both := agreeing[0].keys() & agreeing[1].keys():
        means = [math.fsum(margins[one] for one in both) / len(both) for margins in agreeing]
        figures.append(Figure(name=AGREEMENT, live=means[0], candidate=means[1], count=len(both)))
    return figures


def _losses(
    members: Sequence[HeldOutLesson], live: VersionScores, candidate: VersionScores
) -> tuple[Pair, ...]:
    pairs = []
    for one in members:
        part = one.texts[LessonPart.LESSON]
        nll, tokens = live.of_lessons[part]
        if tokens > 0:
            pairs.append(
                Pair(
                    id=one.conversation_id,
                    group=one.group,
                    live_nll=nll,
                    candidate_nll=candidate.of_lessons[part][0],
                    tokens=tokens,
                )
            )
    return tuple(pairs)


def _margins(
    lessons: Mapping[str, Sequence[HeldOutLesson]], live: VersionScores, candidate: VersionScores
) -> tuple[Pair, ...]:
    pairs = []
    for one in (member for members in lessons.values() for member in members if member.is_pair):
        margins = [_margin(one, scores.of_lessons) for scores in (live, candidate)]
        if margins[0] is not None and margins[1] is not None:
            pairs.append(margin_pair(one.conversation_id, one.group, live=margins[0], candidate=margins[1]))
    return tuple(pairs)


def _margin(lesson: HeldOutLesson, scores: Mapping[ScoredPart, tuple[float, int]]) -> float | None:
    """Return a version's margin; None where an answer has no tokens to score."""
    better, worse = (scores[lesson.texts[part]] for part in (LessonPart.BETTER, LessonPart.WORSE))
    if not (better[1] and worse[1]):
        return None
    return preference_margin(
        ScoredAnswer(nll=better[0], tokens=better[1]), ScoredAnswer(nll=worse[0], tokens=worse[1])
    )
