"""Keeps the scorer running and the versions that are needed loaded in it."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.facts import StoredConversation
from daemon.metrics import Metrics
from learners.scorer_process import ScorerProcess
from learners.types import Conversation, Message, Score
from registry.artifacts import ArtifactStore
from registry.types import Version

_log = logging.getLogger(__name__)
_PAUSE = timedelta(seconds=10)


class LoadedVersions:
    """The scorer child and what it holds: the base once, adapters under their versions' names.

    A scorer that dies is replaced after a pause and starts empty; versions are loaded again when they are needed.
    """

    def __init__(
        self,
        start: Callable[[], ScorerProcess],
        artifacts: ArtifactStore,
        *,
        keep: int,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._start = start
        self._artifacts = artifacts
        self._keep = keep
        self._metrics = metrics
        self._clock = clock
        self._scorer = start()
        self._names: list[str] = []  # least recently used first
        self._restart_at: datetime | None = None

    @property
    def ready(self) -> bool:
        """Whether the scorer runs."""
        return self._scorer.alive

    @property
    def pid(self) -> int | None:
        """The scorer's process id while it runs."""
        return self._scorer.pid

    def step(self) -> None:
        """Replace a scorer that died."""
        if self._scorer.alive:
            return
        if self._restart_at is None:
            self._restart_at = self._clock() + _PAUSE
            _log.error("the scorer died; it is started again in %s", _PAUSE, extra={"action": "score"})
        elif self._clock() >= self._restart_at:
            self._restart_at = None
            self._metrics.process.child_restarts("scorer").inc()
            self._scorer.stop(1)
            self._scorer, self._names = self._start(), []

    def score(self, version: Version, talks: Sequence[StoredConversation]) -> Future[list[Score]]:
        """Score conversations, named by their seq, under a version."""
        adapter = self._load(version)
        return self._scorer.score(adapter, [_conversation(talk) for talk in talks])

    def failed(self, error: Exception) -> None:
        """Take note that scoring failed: a scorer in doubt is replaced."""
        _log.warning("the scorer is replaced: %s", error, extra={"action": "score"})
        self._scorer.stop(1)

    def close(self, timeout_s: float) -> None:
        """End the scorer."""
        self._scorer.stop(timeout_s)

    def _load(self, version: Version) -> str | None:
        if version.artifact is None:
            return None
        name = str(version.name)
        if name in self._names:
            self._names.remove(name)
        else:
            self._scorer.load(name, self._artifacts.fetch(version.artifact, version.digest))
        self._names.append(name)
        while len(self._names) > self._keep:
            self._scorer.unload(self._names.pop(0))
        return name


def _conversation(talk: StoredConversation) -> Conversation:
    messages = tuple(Message(role=message.role, content=message.content) for message in talk.messages)
    return Conversation(id=str(talk.seq), messages=messages)
