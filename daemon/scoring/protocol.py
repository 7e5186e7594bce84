"""What a scorer of versions promises."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from daemon.domain.records import StoredConversation
from learners.types import Score
from registry.types import Version


class VersionScorer(Protocol):
    """Scores conversations under versions, beside the loop."""

    @property
    def ready(self) -> bool:
        """Whether it can score now."""
        ...

    def step(self) -> None:
        """Look after itself."""
        ...

    def score(self, version: Version, conversations: Sequence[StoredConversation]) -> Future[list[Score]]:
        """Score conversations, named by their seq. The future raises LearnerError where scoring failed."""
        ...

    def failed(self, error: Exception) -> None:
        """Take note that scoring failed."""
        ...

    def close(self, timeout_s: float) -> None:
        """End it, whatever it does."""
        ...
