from collections.abc import Sequence
from concurrent.futures import Future

import pytest

from daemon.release.answer_rounds import AnswerRounds
from learners.errors import BadRequest, ChildDied
from learners.types import Answer, Conversation, Message
from registry.types import Version
from tests.factories.gate import a_version, an_answer
from tests.fakes.scorer import GateScorer


class Clock:
    """A clock that each answer moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class TimedScorer(GateScorer):
    """Takes so many seconds an answer, and leaves out what it does not reach in time."""

    def __init__(self, clock: Clock, *, takes_s: float) -> None:
        super().__init__()
        self.clock = clock
        self.takes_s = takes_s
        self.asked: list[tuple[str, int, float | None]] = []

    def answers(
        self, version: Version, prompts: Sequence[Conversation], *, max_new_tokens: int, seconds: float | None
    ) -> Future[list[Answer]]:
        self.asked.append((str(version.name), len(prompts), seconds))
        needed = self.takes_s * len(prompts)
        in_time = seconds is None or needed <= seconds
        self.clock.now += needed if in_time or seconds is None else seconds
        found: Future[list[Answer]] = Future()
        found.set_result([an_answer(one.id, "yes") for one in prompts] if in_time else [])
        return found


def some_prompts(count: int) -> list[Conversation]:
    return [
        Conversation(id=str(number), messages=(Message(role="user", content="why?"),))
        for number in range(count)
    ]


def rounds(scorer: GateScorer, clock: Clock, *, prompts: int, seconds: float) -> AnswerRounds:
    return AnswerRounds(
        a_version(0),
        a_version(1),
        some_prompts(prompts),
        scorer=scorer,
        max_tokens=16,
        seconds=seconds,
        clock=clock,
    )


def run(answering: AnswerRounds) -> None:
    for _ in range(100):
        if answering.done:
            return
        answering.step()
    raise AssertionError("it never ends")


def test_both_versions_answer_all_prompts_where_there_is_time() -> None:
    clock = Clock()
    scorer = TimedScorer(clock, takes_s=0.1)
    answering = rounds(scorer, clock, prompts=50, seconds=60)

    run(answering)

    assert list(answering.answers) == [str(number) for number in range(50)]
    assert [count for _, count, _ in scorer.asked] == [2, 2, 32, 32, 16, 16]


def test_when_time_is_up_both_have_answered_the_same() -> None:
    clock = Clock()
    answering = rounds(TimedScorer(clock, takes_s=1), clock, prompts=50, seconds=21)

    run(answering)

    assert list(answering.answers) == [str(number) for number in range(10)]
    assert clock.now <= 21


def test_a_first_round_that_takes_too_long_answers_nothing_and_ends_in_time() -> None:
    clock = Clock()
    answering = rounds(TimedScorer(clock, takes_s=10), clock, prompts=50, seconds=20)

    run(answering)

    assert answering.answers == {}
    assert clock.now <= 20


def test_only_what_both_answered_counts() -> None:
    clock = Clock()
    scorer = GateScorer()
    scorer.leaves_out = {("chat-v1", "2")}
    answering = rounds(scorer, clock, prompts=4, seconds=20)

    run(answering)

    assert list(answering.answers) == ["0", "1", "3"]


def test_prompts_that_are_all_too_long_are_left_out() -> None:
    scorer = GateScorer()
    scorer.answers_fail_with = BadRequest("5000 tokens don't fit")
    answering = rounds(scorer, Clock(), prompts=8, seconds=20)

    run(answering)

    assert answering.answers == {}


def test_a_scorer_that_dies_is_reported() -> None:
    scorer = GateScorer()
    scorer.answers_fail_with = ChildDied("killed")
    answering = rounds(scorer, Clock(), prompts=8, seconds=20)

    with pytest.raises(ChildDied):
        run(answering)


def test_without_prompts_nothing_is_asked() -> None:
    assert rounds(GateScorer(), Clock(), prompts=0, seconds=20).done
