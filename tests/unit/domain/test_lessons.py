"""What each answer teaches."""

import pytest

from daemon.domain.conversation import Message
from daemon.domain.lessons import Judged, Lesson, LessonKind, LessonRules, lessons_of, preferred

RULES = LessonRules(model_line="bot", own_names=frozenset({"base", "alias"}), people=("agent-*",))
ASKED = Message(role="user", content="how?")
ANSWER = Message(role="assistant", content="so")
EARLIER = Message(role="assistant", content="earlier")
OTHER = Message(role="assistant", content="other")


def learn(version: str | None, **facts: object) -> list[tuple[LessonKind, str | None]]:
    """Return kind and teaching of each answer of a chat with two answers."""
    judged = Judged(version=version, messages=(ASKED, EARLIER, ASKED, ANSWER), **facts)  # type: ignore[arg-type]
    return [(lesson.kind, lesson.teaching) for lesson in lessons_of(judged, RULES)]


def last(version: str | None, **facts: object) -> Lesson:
    judged = Judged(version=version, messages=(ASKED, EARLIER, ASKED, ANSWER), **facts)  # type: ignore[arg-type]
    return lessons_of(judged, RULES)[-1]


@pytest.mark.parametrize("version", ["gpt-4o", "somebody", "bot2-v1", "bot-v", "bot-v1x", None])
def test_answers_of_others_are_imitated(version: str | None) -> None:
    assert learn(version) == [(LessonKind.DEMONSTRATION, "imitate")] * 2


@pytest.mark.parametrize("version", ["bot", "bot-v0", "bot-v12", "base", "alias"])
def test_own_answers_that_nobody_judged_teach_nothing(version: str) -> None:
    assert learn(version) == [(LessonKind.UNJUDGED, None)] * 2


@pytest.mark.parametrize("score", [0.0, 0.4, -0.4])
def test_a_middling_opinion_judges_nothing(score: float) -> None:
    assert learn("bot-v1", score=score) == [(LessonKind.UNJUDGED, None)] * 2


def test_liked_own_answers_are_imitated() -> None:
    assert learn("bot-v1", score=0.5) == [(LessonKind.LIKED, "imitate")] * 2


@pytest.mark.parametrize("version", ["bot-v1", "gpt-4o", None])
def test_disliked_answers_are_never_imitated(version: str | None) -> None:
    assert learn(version, score=-0.5) == [(LessonKind.DISLIKED, "avoid")] * 2


@pytest.mark.parametrize("score", [-1.0, 1.0, None])
def test_a_correction_is_imitated_and_preferred_and_says_nothing_of_earlier_answers(
    score: float | None,
) -> None:
    assert learn("bot-v1", score=score, correction="better") == [
        (LessonKind.UNJUDGED, None),
        (LessonKind.CORRECTION, "prefer"),
    ]
    lesson = last("bot-v1", score=score, correction="better")
    assert lesson.imitate == Message(role="assistant", content="better")
    assert lesson.rejected == ANSWER


def test_a_correction_without_a_change_likes_the_answer() -> None:
    assert last("bot-v1", score=-1.0, correction=" so ").kind is LessonKind.LIKED


def test_the_better_of_two_answers_is_preferred() -> None:
    lesson = last("bot-v1", rejected=OTHER)
    assert (lesson.kind, lesson.imitate, lesson.rejected) == (LessonKind.PREFERENCE, ANSWER, OTHER)


def test_a_disliked_answer_is_not_preferred() -> None:
    assert last("bot-v1", score=-1.0, rejected=OTHER).kind is LessonKind.DISLIKED


def test_a_teacher_answers_where_there_is_no_good_answer() -> None:
    disliked, unjudged = last("bot", score=-1.0, taught=OTHER), last("bot", taught=OTHER)
    assert (disliked.kind, disliked.imitate, disliked.rejected) == (LessonKind.TEACHER, OTHER, ANSWER)
    assert (unjudged.kind, unjudged.imitate, unjudged.rejected) == (LessonKind.TEACHER, OTHER, None)
    assert last("bot", score=1.0, taught=OTHER).kind is LessonKind.LIKED
    assert last("gpt-4o", taught=OTHER).kind is LessonKind.DEMONSTRATION
    assert last("bot", correction="better", taught=OTHER).kind is LessonKind.CORRECTION


def test_a_person_in_the_models_place_is_imitated() -> None:
    turn = Message(role="assistant", content="hello", name="agent-7")
    judged = Judged(version="bot-v1", messages=(ASKED, turn, ASKED, ANSWER))
    assert [lesson.kind for lesson in lessons_of(judged, RULES)] == [
        LessonKind.DEMONSTRATION,
        LessonKind.UNJUDGED,
    ]


def test_answers_that_producers_keep_from_learning_teach_nothing() -> None:
    silent = Message(role="assistant", content="so", learned=False)
    assert lessons_of(Judged(version=None, messages=(ASKED, silent), correction="x"), RULES) == ()
    assert lessons_of(Judged(version=None, messages=(ASKED,)), RULES) == ()


def test_two_records_of_one_prompt_make_a_pair() -> None:
    better, worse = last("bot-v1", score=1.0), last("bot-v1", score=-1.0)
    pair = preferred(better, worse)
    assert (pair.kind, pair.imitate, pair.rejected) == (LessonKind.PREFERENCE, ANSWER, ANSWER)
