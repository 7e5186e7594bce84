"""Makes the slices and figures of held-out lessons from both versions' scores. Pure."""

import math
from collections.abc import Mapping, Sequence

from daemon.ledger.lesson_scores import LessonPart, ScoredPart
from daemon.release.answers.agreement import reply_margins
from daemon.release.held_out import NEW, OLD
from daemon.release.held_out_lessons import HeldOutLesson
from daemon.release.lesson_scoring import VersionScores, end_of
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
#: The slice of good answers after their own prompts and after others', and that of the ends of good answers.
FITTING, ENDS = "answers to their prompts", "ends of answers"
#: How much worse a candidate may be there, in nats per token and in nats per end (calibrated, see registry/README.md).
_FITTING_TOLERANCE, _ENDS_TOLERANCE = 0.04, 0.05
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
    if margins := _margins(lessons, live, candidate, over=LessonPart.WORSE):
        slices.append(SliceData(name=PREFERRED, role=PROTECTED, pairs=margins, measure=Measure.MARGIN))
    fitting = _margins(lessons, live, candidate, over=LessonPart.ELSEWHERE)
    members = [one for listed in lessons.values() for one in listed]
    return [*slices, *harm_slices(fitting, _ends(members, live, candidate))]


def harm_slices(fitting: Sequence[Pair], ends: Sequence[Pair]) -> list[SliceData]:
    """Return the slices that find what a lower loss hides: answers that do not belong to their prompts, or do not end."""
    slices = [
        SliceData(
            name=FITTING,
            role=PROTECTED,
            pairs=tuple(fitting),
            measure=Measure.MARGIN,
            tolerance=_FITTING_TOLERANCE,
        ),
        SliceData(
            name=ENDS, role=PROTECTED, pairs=tuple(ends), measure=Measure.END, tolerance=_ENDS_TOLERANCE
        ),
    ]
    return [one for one in slices if one.pairs]


def score_figures(
    lessons: Mapping[str, Sequence[HeldOutLesson]], live: VersionScores, candidate: VersionScores
) -> list[Figure]:
    """Return the share of pairs of which a version finds the better answer likelier, and how it takes false claims."""
    figures = []
    if margins := _margins(lessons, live, candidate, over=LessonPart.WORSE):
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
        pairs += _loss(one, part, live, candidate)
    return tuple(pairs)


def _ends(
    members: Sequence[HeldOutLesson], live: VersionScores, candidate: VersionScores
) -> tuple[Pair, ...]:
    pairs = []
    for one in members:
        part = end_of(one.texts[LessonPart.LESSON])
        if part in live.of_lessons and part in candidate.of_lessons:
            pairs += _loss(one, part, live, candidate)
    return tuple(pairs)


def _loss(
    lesson: HeldOutLesson, part: ScoredPart, live: VersionScores, candidate: VersionScores
) -> list[Pair]:
    """Return both versions' losses on a text; nothing where it has no tokens."""
    nll, tokens = live.of_lessons[part]
    if not tokens:
        return []
    return [
        Pair(
            id=lesson.conversation_id,
            group=lesson.group,
            live_nll=nll,
            candidate_nll=candidate.of_lessons[part][0],
            tokens=tokens,
        )
    ]


def _margins(
    lessons: Mapping[str, Sequence[HeldOutLesson]],
    live: VersionScores,
    candidate: VersionScores,
    *,
    over: LessonPart,
) -> tuple[Pair, ...]:
    """Return by how much likelier both versions find good answers than the texts of part ``over``, where lessons have one."""
    pairs = []
    for one in (member for members in lessons.values() for member in members if over in member.texts):
        margins = [_margin(one, scores.of_lessons, over) for scores in (live, candidate)]
        if margins[0] is not None and margins[1] is not None:
            pairs.append(margin_pair(one.conversation_id, one.group, live=margins[0], candidate=margins[1]))
    return tuple(pairs)


def _margin(
    lesson: HeldOutLesson,
    scores: Mapping[ScoredPart, tuple[float, int]],
    over: LessonPart,
) -> float | None:
    """Return a version's margin; None where an answer has no tokens to score."""
    better, worse = (scores[lesson.texts[part]] for part in (LessonPart.BETTER, over))
    if not (better[1] and worse[1]):
        return None
    return preference_margin(
        ScoredAnswer(nll=better[0], tokens=better[1]), ScoredAnswer(nll=worse[0], tokens=worse[1])
    )
