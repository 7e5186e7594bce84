"""What users see of an answer, and what counts as right."""

import pytest

from daemon.demo.launch.answers import mark, shown
from daemon.demo.launch.facts import read_facts
from daemon.demo.launch.wordings import word
from learners.types import Answer

pytestmark = pytest.mark.unit
WORDINGS = word(read_facts()[:2], trainable=1)


def an_answer(text: str, *, ended: bool) -> Answer:
    return Answer(id="1", text=text, raw=text, ended=ended, tokens=9)


@pytest.mark.parametrize(
    ("text", "ended", "seen"),
    [
        ("policy.size;\nthe default is 2.", True, "policy.size; the default is 2."),
        ("One sentence. And half of", False, "One sentence."),
        ("The default is 1.5 and", False, "The default is 1.5 and…"),
        ("", True, "…"),
    ],
)
def test_an_answer_that_was_cut_off_is_shown_up_to_a_sentence(text: str, ended: bool, seen: str) -> None:
    assert shown(an_answer(text, ended=ended)) == seen


def test_right_answers_have_full_marks() -> None:
    marks = mark(WORDINGS, {wording.text: wording.fact.answer for wording in WORDINGS})

    assert (marks.questions, marks.right, marks.f1) == (len(WORDINGS), len(WORDINGS), 1.0)


def test_inventions_have_none() -> None:
    marks = mark(WORDINGS, {wording.text: "You should ask your teacher." for wording in WORDINGS})

    assert (marks.right, marks.f1) == (0, 0.0)
