from dataclasses import replace

import pytest

from daemon.domain.conversation import Message, ToolCall
from daemon.domain.records import PastMessage
from daemon.ledger.lesson_scores import LessonPart
from daemon.release.held_out_lessons import HeldOutLesson, held_out_lesson
from tests.factories.gate import RULES, a_lesson, a_stored, assistant, user

LESSON, BETTER, WORSE = LessonPart.LESSON, LessonPart.BETTER, LessonPart.WORSE


def scored(lesson: HeldOutLesson, part: LessonPart = LESSON) -> list[tuple[str, bool]]:
    """The answers of a text, and which of them are targets."""
    messages = lesson.conversations[lesson.texts[part]].messages
    return [(message.content, message.learned) for message in messages if message.role == "assistant"]


def test_all_answers_of_a_person_are_scored() -> None:
    lesson = a_lesson(1, user("a"), assistant("b"), user("c"), assistant("d"))

    assert scored(lesson) == [("b", True), ("d", True)]
    assert WORSE not in lesson.texts


@pytest.mark.parametrize("feedback", [None, 0.0, -1.0])
def test_own_answers_that_nobody_liked_are_no_lesson(feedback: float | None) -> None:
    assert held_out_lesson(a_stored(1, version="chat-v2", feedback=feedback), RULES) is None


def test_an_own_answer_that_users_liked_is_one() -> None:
    assert scored(a_lesson(1, version="chat-v2", feedback=1.0)) == [("answer 1", True)]


def test_what_a_person_answered_and_users_disliked_is_none() -> None:
    assert held_out_lesson(a_stored(1, feedback=-1.0), RULES) is None


def test_a_corrected_answer_ends_the_conversation_in_place_of_the_given_one() -> None:
    turns = (user("a"), assistant("b"), user("c"), assistant("wrong"), user("no!"))
    lesson = a_lesson(1, *turns, version="chat-v2", feedback=-1.0, correction="right")

    assert scored(lesson) == [("b", False), ("right", True)]
    assert scored(lesson, WORSE) == [("b", False), ("wrong", True)]
    assert lesson.texts[BETTER] == lesson.texts[LESSON]
    assert lesson.expected.good == "right"
    assert lesson.expected.prompt == "c"


def test_of_a_person_who_was_corrected_the_earlier_answers_are_good_ones() -> None:
    lesson = a_lesson(1, user("a"), assistant("b"), user("c"), assistant("wrong"), correction="right")

    assert scored(lesson) == [("b", True), ("right", True)]
    assert scored(lesson, BETTER) == [("b", False), ("right", True)]


def test_of_two_answers_to_one_prompt_both_are_scored() -> None:
    lesson = a_lesson(1, user("a"), assistant("good"), rejected=assistant("bad", learned=False))

    assert WORSE in lesson.texts
    assert scored(lesson) == scored(lesson, BETTER) == [("good", True)]
    assert scored(lesson, WORSE) == [("bad", True)]
    assert len(lesson.conversations) == 2


def test_a_later_correction_changes_what_is_scored() -> None:
    before = a_lesson(1, version="chat-v2", correction="right")
    after = a_lesson(1, version="chat-v2", correction="quite right")

    assert before.texts[LESSON] != after.texts[LESSON]
    assert before.texts[WORSE] == after.texts[WORSE]


def test_answers_that_a_producer_keeps_from_learning_are_no_targets() -> None:
    lesson = a_lesson(1, user("a"), assistant("b", learned=False), user("c"), assistant("d"))

    assert scored(lesson) == [("b", False), ("d", True)]


def test_the_question_is_all_that_came_before_the_last_good_answer() -> None:
    history = tuple(PastMessage(one, seq=1, index=0) for one in (user("before"), assistant("earlier")))
    stored = a_stored(2, user("a"), assistant("b"), user("c"), assistant("d"), history=history)

    lesson = held_out_lesson(stored, RULES)

    assert lesson is not None
    assert lesson.question is not None
    assert [one.content for one in lesson.question.messages] == ["before", "earlier", "a", "b", "c"]
    assert scored(lesson)[0] == ("earlier", False)


def test_nothing_is_asked_where_what_came_before_is_gone() -> None:
    lesson = held_out_lesson(replace(a_stored(1), history_gone=True), RULES)

    assert lesson is not None
    assert lesson.question is None


def test_a_good_answer_that_calls_tools_is_known_as_one() -> None:
    call = Message(
        role="assistant", content="", tool_calls=(ToolCall(name="weather", arguments='{"city": "Rome"}'),)
    )
    tool = {"type": "function", "function": {"name": "weather"}}

    lesson = a_lesson(1, user("How is the weather?"), call, tools=(tool,))

    assert lesson.expected.calls_tools
    assert lesson.expected.tools == (tool,)
