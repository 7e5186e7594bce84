"""Compares what both versions write: on held-out prompts, and on prompts of our own."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import zip_longest

from daemon.domain.answer_judge import AnswerJudge, Preference
from daemon.domain.answer_pairs import AnswerPair
from daemon.release.answer_rounds import AnswerRounds
from daemon.release.answers.behaviour_prompts import Behaviour, BehaviourPrompt, behaviour_prompts
from daemon.release.answers.outcomes import (
    Answered,
    answer_checks,
    answer_pairs,
    answer_text,
    behaviour_checks,
    f1_figures,
    judged_check,
)
from daemon.release.held_out_lessons import HeldOutLesson
from daemon.scoring.protocol import VersionScorer
from learners.types import Answer, Conversation, Message
from registry.checks import CheckData
from registry.types import Figure, Version

#: Most seconds to wait for the judge after the last answer.
_JUDGE_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerPlan:
    """Which prompts both versions answer, and how long they may take."""

    lessons: Sequence[HeldOutLesson]  # in the order in which they are asked
    own_prompts: Sequence[BehaviourPrompt]
    max_tokens: int  # of an answer
    seconds: float  # of all answers of both versions together


def plan_answers(
    slices: Sequence[Sequence[HeldOutLesson]], *, count: int, seed: int, with_own_prompts: bool
) -> tuple[list[HeldOutLesson], list[BehaviourPrompt]]:
    """Draw held-out prompts, one a user, of the first slice before those of the next; and shuffle our own.

    The same seed and lessons give the same prompts in the same order.
    """
    drawn: dict[str, HeldOutLesson] = {}
    for members in slices:
        askable = [one for one in members if one.question is not None]
        for one in random.Random(seed).sample(askable, len(askable)):  # noqa: S311 - not a secret
            drawn.setdefault(one.group, one)
    own = list(behaviour_prompts()) if with_own_prompts else []
    random.Random(seed).shuffle(own)  # noqa: S311 - not a secret
    return list(drawn.values())[:count], own


class Answering:
    """Lets both versions answer, and the judge compare their answers as they come."""

    def __init__(
        self,
        live: Version,
        candidate: Version,
        plan: AnswerPlan,
        *,
        scorer: VersionScorer,
        judge: AnswerJudge | None,
        clock: Callable[[], float],
    ) -> None:
        """``clock`` is monotonic, in seconds."""
        self._lessons = {one.question.id: one for one in plan.lessons if one.question is not None}
        self._own = {prompt.id: prompt for prompt in plan.own_prompts}
        self._rounds = AnswerRounds(
            live,
            candidate,
            _alternating(
                [one.question for one in plan.lessons if one.question is not None],
                [_conversation(prompt) for prompt in plan.own_prompts],
            ),
            scorer=scorer,
            max_tokens=plan.max_tokens,
            seconds=plan.seconds,
            clock=clock,
        )
        self._judge = judge
        self._judge_s = min(_JUDGE_S, plan.seconds)
        self._clock = clock
        self._judging: list[Future[Preference | None]] = []
        self._answered_at: float | None = None

    @property
    def done(self) -> bool:
        """Whether all answers are there, and the judge has compared them or takes too long."""
        if self._answered_at is None:
            return False
        late = self._clock() - self._answered_at >= self._judge_s
        return late or all(preference.done() for preference in self._judging)

    def step(self) -> None:
        """Go on. Raises LearnerError where a version can't answer."""
        for id_ in self._rounds.step():
            self._ask_judge(id_)
        if self._rounds.done and self._answered_at is None:
            self._answered_at = self._clock()

    @property
    def progress(self) -> tuple[int, int]:
        """How many prompts are answered, of how many."""
        return len(self._rounds.answers), len(self._lessons) + len(self._own)

    def checks(self) -> list[CheckData]:
        """Return what the checks found in the answers that both versions have given."""
        own: dict[Behaviour, list[tuple[Answer, Answer]]] = {behaviour: [] for behaviour in Behaviour}
        for id_, answers in self._rounds.answers.items():
            if id_ in self._own:
                own[self._own[id_].behaviour].append(answers)
        preferences = [one.result() for one in self._judging if one.done() and not one.exception()]
        return [
            *answer_checks(self._answered()),
            *behaviour_checks(own),
            *judged_check([preference for preference in preferences if preference is not None]),
        ]

    def figures(self) -> list[Figure]:
        """Return how much the answers have in common with good ones."""
        return f1_figures(self._answered())

    def pairs(self, redact: Callable[[str], str]) -> list[tuple[int, AnswerPair]]:
        """Return both answers to each held-out prompt, with the prompt's seq; ``redact`` removes personal data."""
        return answer_pairs(self._answered(), redact)

    def _answered(self) -> list[Answered]:
        return [
            Answered(seq=lesson.seq, expected=lesson.expected, live=answers[0], candidate=answers[1])
            for id_, lesson in self._lessons.items()
            if (answers := self._rounds.answers.get(id_)) is not None
        ]

    def _ask_judge(self, id_: str) -> None:
        if self._judge is not None and id_ in self._lessons:
            live, candidate = (answer_text(answer) for answer in self._rounds.answers[id_])
            if live == candidate:
                return
            self._judging.append(self._judge.compare(self._lessons[id_].prompt, live, candidate))


def _alternating(first: Sequence[Conversation], second: Sequence[Conversation]) -> list[Conversation]:
    """Return both in turns, so that time runs out for both alike."""
    return [one for both in zip_longest(first, second) for one in both if one is not None]


def _conversation(prompt: BehaviourPrompt) -> Conversation:
    return Conversation(id=prompt.id, messages=(Message(role="user", content=prompt.text),))
