"""Keeps the scorer running and the versions that are needed loaded in it."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from daemon.domain.clock import Clock
from daemon.domain.records import StoredConversation
from daemon.telemetry.metrics import Metrics
from learners.errors import BadAdapter, LearnerError
from learners.scoring.process import Scorer
from learners.types import Conversation, Message, Score, Surprisals
from registry.artifacts import ArtifactStore
from registry.manifest import BadArtifact
from registry.types import Version

_log = logging.getLogger(__name__)
_PAUSE = timedelta(seconds=10)
_T = TypeVar("_T")


class ArtifactUnreachable(LearnerError):
    """The artifact store does not answer; it is tried again."""

    permanent = False


class RunningScorer(Scorer, Protocol):
    """A scorer in a process of its own."""

    @property
    def alive(self) -> bool: ...

    @property
    def pid(self) -> int | None: ...

    def stop(self, timeout_s: float) -> None: ...


class ChildVersionScorer:
    """The scorer child and what it holds: the base once, adapters under their versions' names.

    A scorer that dies is replaced after a pause and starts empty; versions are loaded again when they are needed.
    """

    def __init__(
        self,
        launch: Callable[[], RunningScorer],
        artifacts: ArtifactStore,
        *,
        keep: int,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._launch = launch
        self._artifacts = artifacts
        self._keep = keep
        self._metrics = metrics
        self._clock = clock
        self._scorer: RunningScorer | None = None  # until it is started
        self._loads: dict[str, Future[None]] = {}  # by name, least recently used first
        self._restart_at: datetime | None = None

    def start(self) -> None:
        """Start the scorer child."""
        self._scorer = self._launch()

    @property
    def ready(self) -> bool:
        """Whether the scorer runs."""
        return self._scorer is not None and self._scorer.alive

    @property
    def pid(self) -> int | None:
        """The scorer's process id while it runs."""
        return self._scorer.pid if self._scorer else None

    def step(self) -> None:
        """Replace a scorer that died."""
        if self._scorer is None or self._scorer.alive:
            return
        if self._restart_at is None:
            self._restart_at = self._clock() + _PAUSE
            _log.error("the scorer died; it is started again in %s", _PAUSE, extra={"action": "score"})
        elif self._clock() >= self._restart_at:
            self._restart_at = None
            self._metrics.process.child_restarts("scorer").inc()
            self._scorer.stop(1)
            self._scorer, self._loads = self._launch(), {}

    def score(self, version: Version, conversations: Sequence[StoredConversation]) -> Future[list[Score]]:
        """Score conversations, named by their seq, under a version."""
        return self._with(version, conversations, self._started().score)

    def surprisals(
        self, version: Version, conversations: Sequence[StoredConversation]
    ) -> Future[list[Surprisals]]:
        """Tell how surprising each token of conversations, named by their seq, is to a version."""
        return self._with(version, conversations, self._started().surprisals)

    def failed(self, error: Exception) -> None:
        """Take note that scoring failed: a scorer in doubt is replaced."""
        _log.warning("the scorer is replaced: %s", error, extra={"action": "score"})
        self._started().stop(1)

    def close(self, timeout_s: float) -> None:
        """End the scorer."""
        if self._scorer is not None:
            self._scorer.stop(timeout_s)

    def _started(self) -> RunningScorer:
        if self._scorer is None:
            raise RuntimeError("the scorer is used before start()")
        return self._scorer

    def _with(
        self,
        version: Version,
        conversations: Sequence[StoredConversation],
        ask: Callable[[str | None, Sequence[Conversation]], Future[list[_T]]],
    ) -> Future[list[_T]]:
        """Ask the scorer about conversations under a version."""
        try:
            load = self._load(version)
        except BadArtifact as error:
            return _failed(BadAdapter(str(error)))
        except OSError as error:
            return _failed(ArtifactUnreachable(f"{version.artifact} can't be read now: {error}"))
        answer = ask(
            str(version.name) if load else None,
            [_conversation(conversation) for conversation in conversations],
        )
        return answer if load is None else _after(load, answer)

    def _load(self, version: Version) -> Future[None] | None:
        """Load a version's adapter unless it is there; None for the bare base, which always is."""
        if version.artifact is None:
            return None
        name = str(version.name)
        load = self._loads.pop(name, None)
        if load is None or (load.done() and load.exception() is not None):
            load = self._started().load(name, self._artifacts.fetch(version.artifact, version.digest))
        self._loads[name] = load
        while len(self._loads) > self._keep:
            oldest = next(iter(self._loads))
            del self._loads[oldest]
            self._started().unload(oldest)
        return load


def _failed(error: LearnerError) -> Future[list[_T]]:
    outcome: Future[list[_T]] = Future()
    outcome.set_exception(error)
    return outcome


def _after(load: Future[None], scores: Future[list[_T]]) -> Future[list[_T]]:
    """Return the scores; where loading failed, with its reason rather than with what followed from it.

    The scorer takes its calls one after the other, so a load is done when a later call is.
    """
    outcome: Future[list[_T]] = Future()

    def settle(_: Future[list[_T]]) -> None:
        error = load.exception() or scores.exception()
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(scores.result())

    scores.add_done_callback(settle)
    return outcome


def _conversation(conversation: StoredConversation) -> Conversation:
    messages = tuple(Message(role=message.role, content=message.content) for message in conversation.messages)
    return Conversation(id=str(conversation.seq), messages=messages)
