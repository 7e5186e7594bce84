"""The slices that find what a lower loss hides."""

from daemon.ledger.lesson_scores import LessonPart, ScoredPart
from daemon.release.gate_slices import ENDS, FITTING, lesson_slices
from daemon.release.held_out import NEW
from daemon.release.held_out_lessons import HeldOutLesson
from daemon.release.lesson_scoring import VersionScores, end_of
from daemon.release.other_prompts import with_other_prompts
from registry.gate import GateSettings, judge
from registry.types import GateReport, GateVerdict
from tests.factories.gate import a_lesson

LESSONS = with_other_prompts({NEW: [a_lesson(seq) for seq in range(1, 101)]})


def version(*, own: float = 2.0, elsewhere: float = 2.5, end: float = 0.7, ends: int = 1) -> VersionScores:
    """Losses of ten tokens each; those of single lessons scatter a little."""
    scores: dict[ScoredPart, tuple[float, int]] = {}
    for lesson in LESSONS[NEW]:
        noise = (lesson.seq % 7 - 3) / 100
        part = lesson.texts[LessonPart.LESSON]
        scores[part] = (10 * (own + noise), 10)
        scores[end_of(part)] = (ends * (end + noise), ends)
        scores[lesson.texts[LessonPart.ELSEWHERE]] = (10 * (elsewhere - noise), 10)
    return VersionScores(of_lessons=scores, of_replies={})


def report(candidate: VersionScores) -> GateReport:
    return judge(lesson_slices(LESSONS, version(), candidate), GateSettings(), look=1)


def verdicts(found: GateReport) -> dict[str, GateVerdict]:
    return {one.name: one.verdict for one in found.slices}


def test_a_candidate_that_learned_answers_and_when_they_end_passes() -> None:
    found = report(version(own=1.8, elsewhere=2.4, end=0.6))

    assert verdicts(found) == dict.fromkeys([NEW, FITTING, ENDS], GateVerdict.PROMOTE)
    assert found.verdict is GateVerdict.PROMOTE


def test_answers_that_are_as_likely_after_any_prompt_are_rejected_although_the_loss_fell() -> None:
    found = report(version(own=1.8, elsewhere=1.9))

    assert verdicts(found)[NEW] is GateVerdict.PROMOTE
    assert verdicts(found)[FITTING] is GateVerdict.REJECT
    assert found.verdict is GateVerdict.REJECT
    assert found.reason.startswith("answers to their prompts: worse: margin 0.501 -> 0.101 nats per token")


def test_answers_that_no_longer_end_are_rejected_although_the_loss_fell() -> None:
    found = report(version(own=1.8, elsewhere=2.4, end=1.2))

    assert verdicts(found)[ENDS] is GateVerdict.REJECT
    assert found.verdict is GateVerdict.REJECT
    assert "ends of answers: worse: 0.700 -> 1.200 nats per end" in found.reason


def test_less_than_what_is_tolerated_does_no_harm() -> None:
    found = report(version(own=1.8, elsewhere=2.29, end=0.73))

    assert found.verdict is GateVerdict.PROMOTE


def test_answers_that_are_cut_off_have_no_end_to_compare() -> None:
    none = version(own=1.8, elsewhere=2.4, ends=0)

    assert [one.name for one in lesson_slices(LESSONS, none, none)] == [NEW, FITTING]


def test_lessons_without_another_prompt_are_compared_by_their_loss_alone() -> None:
    alone: list[HeldOutLesson] = [a_lesson(1)]
    part = alone[0].texts[LessonPart.LESSON]
    scores = VersionScores(of_lessons={part: (20.0, 10)}, of_replies={})

    assert [one.name for one in lesson_slices({NEW: alone}, scores, scores)] == [NEW]
