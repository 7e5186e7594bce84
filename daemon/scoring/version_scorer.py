"""Scores conversations under versions that the scorer child holds."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from daemon.domain.backoff import Backoff
from daemon.domain.clock import Clock
from daemon.domain.records import StoredConversation
from daemon.domain.supervised_child import ServingChild, SupervisedChild
from daemon.scoring.prompts import scored_conversation
from daemon.telemetry.metrics import Metrics
from learners.errors import BadAdapter, LearnerError
from learners.scoring.process import Scorer
from learners.types import Answer, Conversation, Score, Surprisals
from registry.artifacts import ArtifactStore
from registry.manifest import BadArtifact
from registry.types import Version

_log = logging.getLogger(__name__)
#: Seconds between the scorer's death and its restart.
_PAUSE_S = 10
_T = TypeVar("_T")


class ArtifactUnreachable(LearnerError):
    """The artifact store does not answer. Scoring again later can succeed."""

    permanent = False


class ChildVersionScorer:
    """Scores in a child process that holds the base once and the adapters of the latest versions that were used.

    A scorer that dies is replaced after a pause. The new one starts empty and loads versions when they are used.
    """

    def __init__(
        self,
        launch: Callable[[], ServingChild[Scorer]],
        artifacts: ArtifactStore,
        *,
        histories: Callable[[Sequence[StoredConversation]], Sequence[StoredConversation]],
        keep: int,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """``histories`` adds the turns before those of each conversation. ``keep``: the most adapters loaded at a time."""
        self._launch = launch
        self._artifacts = artifacts
        self._histories = histories
        self._keep = keep
        self._scorer: SupervisedChild[ServingChild[Scorer]] = SupervisedChild(
            self._launch_empty,
            on_death=_log_death,
            on_restart=metrics.process.child_restarts("scorer").inc,
            backoff=Backoff(_PAUSE_S),
            clock=clock,
        )
        self._loads: dict[str, Future[None]] = {}  # by name, least recently used first

    def start(self) -> None:
        """Start the scorer child."""
        self._scorer.start()

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
        self._scorer.supervise()

    def score(self, version: Version, conversations: Sequence[StoredConversation]) -> Future[list[Score]]:
        """Score conversations, named by their seq, under a version."""
        return self._with(version, lambda: self._whole(conversations), self._scorer.child.calls.score)

    def score_conversations(
        self, version: Version, conversations: Sequence[Conversation]
    ) -> Future[list[Score]]:
        """Score conversations that are made already, named by their ids, under a version."""
        return self._with(version, lambda: conversations, self._scorer.child.calls.score)

    def answers(
        self,
        version: Version,
        prompts: Sequence[Conversation],
        *,
        max_new_tokens: int,
        seconds: float | None,
    ) -> Future[list[Answer]]:
        """Return what a version writes after each prompt, but for those that are too long or not reached in time."""
        ask = partial(self._scorer.child.calls.answers, max_new_tokens=max_new_tokens, seconds=seconds)
        return self._with(version, lambda: prompts, ask)

    def surprisals(
        self, version: Version, conversations: Sequence[StoredConversation]
    ) -> Future[list[Surprisals]]:
        """Return the surprisal of each token of conversations, named by their seq, under a version."""
        return self._with(version, lambda: self._whole(conversations), self._scorer.child.calls.surprisals)

    def failed(self, error: Exception) -> None:
        """Replace the scorer, as scoring failed."""
        _log.warning("replacing the scorer: %s", error, extra={"action": "score"})
        self._scorer.discard()

    def close(self, timeout_s: float) -> None:
        """End the scorer."""
        self._scorer.close(timeout_s)

    def _launch_empty(self) -> ServingChild[Scorer]:
        self._loads = {}
        return self._launch()

    def _whole(self, conversations: Sequence[StoredConversation]) -> list[Conversation]:
        """Return conversations with the turns before theirs."""
        return [scored_conversation(conversation) for conversation in self._histories(conversations)]

    def _with(
        self,
        version: Version,
        conversations: Callable[[], Sequence[Conversation]],
        ask: Callable[[str | None, Sequence[Conversation]], Future[list[_T]]],
    ) -> Future[list[_T]]:
        """Ask the scorer about conversations under a version."""
        try:
            load = self._load(version)
        except BadArtifact as error:
            return _failed(BadAdapter(str(error)))
        except OSError as error:
            return _failed(ArtifactUnreachable(f"{version.artifact} can't be read now: {error}"))
        answer = ask(str(version.name) if load else None, conversations())
        return answer if load is None else _after(load, answer)

    def _load(self, version: Version) -> Future[None] | None:
        """Load a version's adapter unless it is loaded. None for the bare base, which is always there."""
        if version.artifact is None:
            return None
        name = str(version.name)
        load = self._loads.pop(name, None)
        if load is None or (load.done() and load.exception() is not None):
            load = self._scorer.child.calls.load(
                name, self._artifacts.fetch(version.artifact, version.digest)
            )
        self._loads[name] = load
        while len(self._loads) > self._keep:
            oldest = next(iter(self._loads))
            del self._loads[oldest]
            self._scorer.child.calls.unload(oldest)
        return load


def _log_death(pause_s: float) -> None:
    _log.error("the scorer died; it restarts in %.0f s", pause_s, extra={"action": "score"})


def _failed(error: LearnerError) -> Future[list[_T]]:
    outcome: Future[list[_T]] = Future()
    outcome.set_exception(error)
    return outcome


def _after(load: Future[None], scores: Future[list[_T]]) -> Future[list[_T]]:
    """Return the scores; where loading failed, the future fails with the reason of that.

    The scorer answers its calls in order, so the load is done when the scores are.
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
