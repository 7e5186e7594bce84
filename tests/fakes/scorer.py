"""What scorers of versions do for lessons, for fakes of them."""

from collections.abc import Sequence
from concurrent.futures import Future

from learners.types import Answer, Conversation, Score
from registry.types import Version


class AnswersAlike:
    """Answers every prompt with the version's name, and gives each ready conversation two nats for one token."""

    def score_conversations(
        self, version: Version, conversations: Sequence[Conversation]
    ) -> Future[list[Score]]:
        scores: Future[list[Score]] = Future()
        scores.set_result([Score(id=one.id, nll=2.0, tokens=1) for one in conversations])
        return scores

    def answers(
        self,
        version: Version,
        prompts: Sequence[Conversation],
        *,
        max_new_tokens: int,
        seconds: float | None,
    ) -> Future[list[Answer]]:
        text = f"This is {version.name}."
        answers: Future[list[Answer]] = Future()
        answers.set_result([Answer(id=one.id, text=text, raw=text, ended=True, tokens=4) for one in prompts])
        return answers


class GateScorer(AnswersAlike):
    """Scores and answers by the rules that a test gives, of versions by name."""

    ready = True

    def __init__(self) -> None:
        self.losses: dict[str, float] = {}  # nats per token, by version
        self.says: dict[str, str] = {}  # answer to every prompt, by version
        self.ends: dict[str, bool] = {}
        self.leaves_out: set[tuple[str, str]] = set()  # of a version and a prompt's id
        self.answers_fail_with: Exception | None = None
        self.scored: list[tuple[str, tuple[str, ...]]] = []

    def step(self) -> None: ...

    def close(self, timeout_s: float) -> None: ...

    def failed(self, error: Exception) -> None:
        self.answers_fail_with = None

    def score(self, version: Version, conversations: Sequence[object]) -> Future[list[Score]]:
        raise NotImplementedError("the gate scores lessons")

    def loss(self, version: str, conversation: Conversation) -> float:
        """Return the loss per token of a conversation; a test may give a rule of its own."""
        return self.losses.get(version, 2.0)

    def score_conversations(
        self, version: Version, conversations: Sequence[Conversation]
    ) -> Future[list[Score]]:
        name = str(version.name)
        self.scored.append((name, tuple([one.id for one in conversations])))
        scores: Future[list[Score]] = Future()
        scores.set_result(
            [Score(id=one.id, nll=10 * self.loss(name, one), tokens=10) for one in conversations]
        )
        return scores

    def answers(
        self, version: Version, prompts: Sequence[Conversation], *, max_new_tokens: int, seconds: float | None
    ) -> Future[list[Answer]]:
        name = str(version.name)
        found: Future[list[Answer]] = Future()
        if self.answers_fail_with is not None:
            found.set_exception(self.answers_fail_with)
            return found
        text, ended = self.says.get(name, f"This is {name}."), self.ends.get(name, True)
        found.set_result(
            [
                Answer(id=one.id, text=text, raw=text, ended=ended, tokens=4)
                for one in prompts
                if (name, one.id) not in self.leaves_out
            ]
        )
        return found
