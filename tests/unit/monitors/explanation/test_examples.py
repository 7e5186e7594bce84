"""Five conversations to look at: close to the change, each another user's, and unlike each other."""

import numpy as np

from monitors.explanation.examples import select_examples
from tests.factories.monitors import a_sample

REFERENCE = np.linspace(-1.0, -0.5, 50)


def test_no_user_is_shown_twice() -> None:
    window = [a_sample(f"w{n}", f"text number {n}", group=f"u{n % 3}") for n in range(12)]

    found = select_examples(window, np.linspace(1.0, 0.5, 12), REFERENCE)

    assert [sample.id for sample in found] == ["w0", "w1", "w2"]


def test_one_question_asked_by_many_is_shown_once_while_there_are_others() -> None:
    window = [a_sample(f"same{n}", "where is my refund") for n in range(20)]
    window += [a_sample(name, name) for name in ("quantum", "football", "weather", "巧克力蛋糕")]

    found = select_examples(window, np.linspace(1.0, 0.9, 24), REFERENCE)

    assert {sample.id for sample in found} == {"same0", "quantum", "football", "weather", "巧克力蛋糕"}


def test_alike_ones_fill_up_rather_than_what_is_far_from_the_change() -> None:
    window = [a_sample(f"same{n}", "where is my refund") for n in range(6)]
    window += [a_sample("old", "tea as ever")]
    scores = np.array([1.0, 0.9, 0.9, 0.9, 0.9, 0.9, -0.7])

    assert [sample.id for sample in select_examples(window, scores, REFERENCE)] == [
        f"same{n}" for n in range(5)
    ]


def test_empty_texts_are_fine() -> None:
    window = [a_sample(f"w{n}", "") for n in range(3)]

    assert len(select_examples(window, np.zeros(3), np.zeros(9))) == 3
