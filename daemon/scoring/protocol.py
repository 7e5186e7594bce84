"""The promise of a scorer of versions."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from daemon.domain.records import StoredConversation
from learners.types import Score
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

    def failed(self, error: Exception) -> None:
        """Report that scoring failed, so that the scorer can recover."""
        ...

    def close(self, timeout_s: float) -> None:
        """End the scorer, by force after ``timeout_s``."""
        ...
