import pytest

from monitors.triage.answer_churn import answer_churn
from monitors.types import Sample, Turn
from tests.factories.ledger import NOW

RATE = "What is the dollar worth today?"


def answered(name: str, *exchanges: tuple[str, str], user: str | None = None) -> Sample:
    turns = [
        turn
        for question, answer in exchanges
        for turn in (Turn(role="user", content=question), Turn(role="assistant", content=answer))
    ]
    return Sample(id=name, group=user or name, at=NOW, turns=tuple(turns))


def found(*samples: Sample) -> tuple[float, tuple[str, ...]]:
    churn = answer_churn(samples)
    return churn.share.estimate, churn.examples


def test_the_same_question_with_other_figures_changes() -> None:
    samples = [
        answered("a", (RATE, "It is 7.12 yuan.")),
        answered("b", ("what is the Dollar worth, today", "It is 7.15 yuan now.")),
        answered("c", ("Who wrote Faust, part one?", "Goethe, in 1808.")),
        answered("d", ("Who are you, then?", "A machine.")),
    ]

    assert found(*samples) == (0.5, ("a", "b"))


@pytest.mark.parametrize(
    "other",
    [
        "7.12 yuan, as I said",  # the same figure in other words
        "That depends on the day.",  # no figure at all
        "7.12 yuan; 1 more than in 2020",  # more than the other said, and nothing against it
        "1. it is\n2. 7.12 yuan",  # numbers of a list
        "Rates moved 3 times lately; banks, which open at 9, know",  # free text
    ],
)
def test_other_words_are_no_other_answer(other: str) -> None:
    assert found(answered("a", (RATE, "It is 7.12 yuan.")), answered("b", (RATE, other)))[0] == 0.0


def test_other_figures_in_the_question_ask_something_else() -> None:
    samples = [
        answered("a", ("How old is bill 17 now?", "3 days")),
        answered("b", ("How old is bill 18 now?", "4 days")),
    ]

    assert found(*samples)[0] == 0.0


def test_later_questions_mean_what_their_context_makes_of_them() -> None:
    samples = [
        answered("a", ("Is the Ritz open?", "Yes."), ("What does it cost?", "It costs 300.")),
        answered("b", ("Is the inn open?", "Yes."), ("What does it cost?", "It costs 80.")),
    ]

    assert found(*samples)[0] == 0.0


def test_full_width_figures_are_figures_and_short_questions_too_common_to_be_the_same() -> None:
    assert (
        found(
            answered("a", ("今天美元汇率是多少", "７.１２元")),
            answered("b", ("今天美元汇率是多少？", "7.15元")),
        )[0]
        == 1.0
    )
    assert found(answered("a", ("why?", "because of 3")), answered("b", ("why?", "because of 4")))[0] == 0.0


def test_a_user_counts_once() -> None:
    samples = [answered(f"a{n}", (RATE, f"7.{n}"), user="ada") for n in range(9)]

    assert found(*samples, answered("b", ("Is it raining there?", "no")))[0] == 0.5
