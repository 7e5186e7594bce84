"""Lets both versions answer the same prompts within a time limit."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from daemon.scoring.protocol import VersionScorer
from learners.errors import BadRequest
from learners.types import Answer, Conversation
from registry.types import Version

#: Prompts of the first round, which shows how long a prompt takes, and most of a later one.
_FIRST, _MOST = 2, 32


@dataclass(frozen=True, slots=True)
class _Round:
    """Prompts that both versions are answering."""

    prompts: tuple[Conversation, ...]
    began: float
    live: Future[list[Answer]]
    candidate: Future[list[Answer]]


class AnswerRounds:
    """Both versions answer a few prompts at a time in turns, so that both have answered the same when time is up."""

    def __init__(
        self,
        live: Version,
        candidate: Version,
        prompts: Sequence[Conversation],
        *,
        scorer: VersionScorer,
        max_tokens: int,
        seconds: float,
        clock: Callable[[], float],
    ) -> None:
        """``seconds`` limit all answers of both versions together; ``clock`` is monotonic, in seconds."""
        self._live = live
        self._candidate = candidate
        self._waiting = deque(prompts)
        self._scorer = scorer
        self._max_tokens = max_tokens
        self._left_s = seconds
        self._clock = clock
        self._size = _FIRST
        self._round: _Round | None = None
        #: Answers of the live version and the candidate, by the prompt's id.
        self.answers: dict[str, tuple[Answer, Answer]] = {}

    @property
    def done(self) -> bool:
        """Whether all prompts are answered, or time is up."""
        return self._round is None and not (self._waiting and self._size)

    def step(self) -> list[str]:
        """Take the answers of a round that is done, and begin the next; return the ids of the prompts answered now.

        Raises LearnerError where a version can't answer.
        """
        answered: list[str] = []
        if self._round is not None and self._round.live.done() and self._round.candidate.done():
            ended, self._round = self._round, None
            answered = self._take(ended)
        if self._round is None and not self.done:
            self._round = self._begin()
        return answered

    def _begin(self) -> _Round:
        began = self._clock()
        prompts = [self._waiting.popleft() for _ in range(min(self._size, len(self._waiting)))]
        asked = [
            self._scorer.answers(version, prompts, max_new_tokens=self._max_tokens, seconds=self._left_s / 2)
            for version in (self._live, self._candidate)
        ]
        return _Round(tuple(prompts), began, *asked)

    def _take(self, ended: _Round) -> list[str]:
        live, candidate = _by_id(ended.live), _by_id(ended.candidate)
        both = [prompt.id for prompt in ended.prompts if prompt.id in live and prompt.id in candidate]
        self.answers.update({id_: (live[id_], candidate[id_]) for id_ in both})
        took = self._clock() - ended.began
        self._left_s -= took
        # A round that would not end in time is not begun: its answers would not count.
        affordable = int(self._left_s * len(ended.prompts) / took) if took > 0 else _MOST
        self._size = max(0, min(_MOST, affordable))
        return both


def _by_id(answers: Future[list[Answer]]) -> dict[str, Answer]:
    """Return a version's answers; none where every prompt is too long for it."""
    try:
        return {answer.id: answer for answer in answers.result()}
    except BadRequest:
        return {}
