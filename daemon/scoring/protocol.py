"""The promise of a scorer of versions."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from daemon.domain.records import StoredConversation
from learners.types import Answer, Conversation, Score
from registry.types import Version


class VersionScorer(Protocol):
    """Scores conversations under versions without making the loop wait."""

    @property
    def ready(self) -> bool:
        """Whether it can score now."""
        ...

    def step(self) -> None:
        """Do what is due, such as replacing a dead child. Call it at every step."""
        ...

    def score(self, version: Version, conversations: Sequence[StoredConversation]) -> Future[list[Score]]:
        """Score conversations; each score has the seq as its id. The future raises LearnerError where scoring failed."""
        ...

    def score_conversations(
        self, version: Version, conversations: Sequence[Conversation]
    ) -> Future[list[Score]]:
        """Score conversations that are made already, such as lessons; each score has its conversation's id."""
        ...

    def answers(
        self,
        version: Version,
        prompts: Sequence[Conversation],
        *,
        max_new_tokens: int,
        seconds: float | None,
    ) -> Future[list[Answer]]:
        """Return what the version writes after each prompt, in their order, see ``daemon.scoring.prompts``.

        Left out are prompts that are too long or refused by the template, and those not reached in ``seconds``. Earlier prompts come first.
        """
        ...

    def failed(self, error: Exception) -> None:
        """Report that scoring failed, so that the scorer can recover."""
        ...

    def close(self, timeout_s: float) -> None:
        """End the scorer, by force after ``timeout_s``."""
        ...
