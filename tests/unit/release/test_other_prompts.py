from dataclasses import replace

from daemon.domain.conversation import Message
from daemon.ledger.lesson_scores import LessonPart
from daemon.release.held_out_lessons import HeldOutLesson
from daemon.release.other_prompts import with_other_prompts
from tests.factories.gate import a_lesson, assistant, user

LESSON, BETTER, ELSEWHERE = LessonPart.LESSON, LessonPart.BETTER, LessonPart.ELSEWHERE


def paired(*lessons: HeldOutLesson) -> list[HeldOutLesson]:
    return with_other_prompts({"new": lessons})["new"]


def turns(lesson: HeldOutLesson, part: LessonPart) -> list[tuple[str, bool]]:
    """What is said in a text, and which answers of it are targets."""
    messages = lesson.conversations[lesson.texts[part]].messages
    return [(one.content, one.role == "assistant" and one.learned) for one in messages]


def chat(seq: int) -> tuple[Message, ...]:
    return (user(f"hello {seq}"), assistant(f"hi {seq}"), user(f"question {seq}"), assistant(f"answer {seq}"))


def test_the_good_answer_is_scored_after_another_prompt() -> None:
    one, other = paired(a_lesson(1), a_lesson(2))

    assert turns(one, ELSEWHERE) == [("question 2", False), ("answer 1", True)]
    assert turns(other, ELSEWHERE) == [("question 1", False), ("answer 2", True)]


def test_an_answer_that_is_scored_alone_already_is_not_scored_again() -> None:
    one, _ = paired(a_lesson(1), a_lesson(2))

    assert one.texts[BETTER] == one.texts[LESSON]
    assert len(one.conversations) == 2


def test_of_several_answers_the_last_one_is_scored_alone() -> None:
    one, _ = paired(a_lesson(1, *chat(1)), a_lesson(2, *chat(2)))

    assert turns(one, BETTER)[-1] == ("answer 1", True)
    assert turns(one, BETTER)[1] == ("hi 1", False)
    assert turns(one, ELSEWHERE) == [
        ("hello 2", False), ("hi 2", False), ("question 2", False), ("answer 1", True),
    ]  # fmt: skip
    assert len({text.id for text in one.conversations.values()}) == 3


def test_the_other_lesson_is_of_another_user_and_about_something_else() -> None:
    same_user = replace(a_lesson(2), group="u1")
    same_question = a_lesson(3, user("question 1"), assistant("answer 3"))
    same_answer = a_lesson(4, user("question 4"), assistant("answer 1"))
    first, *_ = paired(a_lesson(1), same_user, same_question, same_answer)

    assert ELSEWHERE not in first.texts


def test_lessons_whose_history_is_gone_are_left_out() -> None:
    one, other = paired(a_lesson(1), a_lesson(2, history_gone=True))

    assert ELSEWHERE not in one.texts
    assert ELSEWHERE not in other.texts


def test_a_lesson_alone_stays_as_it_is() -> None:
    lesson = a_lesson(1)

    assert paired(lesson) == [lesson]


def test_most_prompts_stay_the_same_as_lessons_come_in() -> None:
    lessons = [a_lesson(seq) for seq in range(1, 41)]
    before, after = paired(*lessons[:39]), paired(*lessons)

    changed = [one.seq for one, now in zip(before, after, strict=False) if one.texts != now.texts]
    assert len(changed) <= 2
