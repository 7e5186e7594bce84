"""Notes how long the scorer child works on each call."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import TypeVar

from daemon.domain.child_work import ChildWork, ChildWorkLog
from daemon.domain.clock import Clock
from daemon.domain.records import StoredConversation
from daemon.domain.spans import Attribute
from daemon.scoring.protocol import VersionScorer
from learners.types import Answer, Conversation, Score
from registry.types import Version

T = TypeVar("T")


class TracedScorer:
    """A scorer that notes each call of the gate."""

    def __init__(self, scorer: VersionScorer, works: ChildWorkLog, *, clock: Clock) -> None:
        self._scorer = scorer
        self._works = works
        self._clock = clock

    @property
    def ready(self) -> bool:
        """Whether it can score now."""
        return self._scorer.ready

    def step(self) -> None:
        """Do what is due."""
        self._scorer.step()

    def score(self, version: Version, conversations: Sequence[StoredConversation]) -> Future[list[Score]]:
        """Score conversations."""
        return self._noted("score", version, len(conversations), self._scorer.score(version, conversations))

    def score_conversations(
        self, version: Version, conversations: Sequence[Conversation]
    ) -> Future[list[Score]]:
        """Score conversations that are made already."""
        call = self._scorer.score_conversations(version, conversations)
        return self._noted("score", version, len(conversations), call)

    def answers(
        self,
        version: Version,
        prompts: Sequence[Conversation],
        *,
        max_new_tokens: int,
        seconds: float | None,
    ) -> Future[list[Answer]]:
        """Return what the version writes after each prompt."""
        call = self._scorer.answers(version, prompts, max_new_tokens=max_new_tokens, seconds=seconds)
        return self._noted("answer", version, len(prompts), call)

    def failed(self, error: Exception) -> None:
        """Report that scoring failed."""
        self._scorer.failed(error)

    def close(self, timeout_s: float) -> None:
        """End the scorer."""
        self._scorer.close(timeout_s)

    def _noted(self, name: str, version: Version, count: int, call: "Future[T]") -> "Future[T]":
        start = self._clock()

        def note(_: "Future[T]") -> None:
            attributes: dict[str, Attribute] = {"version": str(version.name), "conversations": count}
            self._works.add(
                ChildWork(name=f"scorer {name}", start=start, end=self._clock(), attributes=attributes)
            )

        call.add_done_callback(note)
        return call
