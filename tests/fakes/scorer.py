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
