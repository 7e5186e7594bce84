"""Embeds conversations in a child process."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from daemon.config.child_logs import child_log
from daemon.config.settings import Settings
from daemon.domain.backoff import Backoff
from daemon.domain.clock import Clock
from daemon.domain.supervised_child import ServingChild, SupervisedChild
from daemon.drift.samples import embedded_text
from daemon.telemetry.metrics import Metrics
from learners.embedding.encoder_files import resolve_encoder
from learners.embedding.process import Embedder, embedder_process
from monitors.types import Sample

_log = logging.getLogger(__name__)
#: After this long without an answer, conversations go on without vectors.
_PATIENCE = timedelta(minutes=2)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 10, 600
_CALL = 32  # texts per call: few enough that a call is answered well within the patience

Vectors = Mapping[int, bytes]


@dataclass(slots=True)
class _Request:
    """The texts whose vectors are being made."""

    keys: tuple[int, ...] = ()
    calls: list[Future[list[bytes]]] = field(default_factory=list)  # empty while the child is dead
    answered: int = 0
    since: datetime | None = None  # when the latest call was answered; at first, when the request was made


class Embeddings:
    """Makes the vectors of texts, one request at a time, without making the loop wait.

    The child is replaced when it dies, after pauses that grow while it never answers. A request waits for a dead or silent
    child for two minutes at most; then this and all further requests get no vectors until the child answers again.
    """

    def __init__(
        self, launch: Callable[[], ServingChild[Embedder]], *, metrics: Metrics, clock: Clock
    ) -> None:
        """``launch`` starts a child."""
        self._launch = launch
        self._clock = clock
        self._backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._embedder: SupervisedChild[ServingChild[Embedder]] = SupervisedChild(
            self._launch_child,
            on_death=self._child_died,
            on_restart=metrics.process.child_restarts("embedder").inc,
            backoff=self._backoff,
            clock=clock,
        )
        self._loaded: Future[list[bytes]] | None = None  # done once the child has loaded its model
        self._given_up = False
        self._request = _Request()

    def start(self) -> None:
        """Start the child."""
        self._embedder.start()

    @property
    def alive(self) -> bool:
        """Whether the embedder runs."""
        return self._embedder.alive

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._embedder.pid

    @property
    def answers(self) -> bool:
        """Whether the child runs and has loaded its model."""
        return self._embedder.alive and self._loaded is not None and _succeeded(self._loaded)

    def of(self, texts: Mapping[int, str]) -> Vectors | None:
        """Return the vectors by the texts' keys; None while they are being made: ask again for the same texts.

        The result is empty while the child does not answer.
        """
        self._embedder.supervise()
        if self._given_up:
            if not self.answers:
                return {}
            self._given_up = False
            _log.info("the embedder answers again", extra={"action": "embed"})
        if self._request.keys != tuple(texts):
            self._request = _Request(keys=tuple(texts))
        if not self._request.calls and self._embedder.alive:
            self._request.calls = _in_calls(self._embedder.child.calls, list(texts.values()))
        return self._vectors(self._request)

    def close(self, timeout_s: float) -> None:
        """End the child."""
        self._embedder.close(timeout_s)

    def _vectors(self, request: _Request) -> Vectors | None:
        answered = sum(map(_succeeded, request.calls))
        if request.calls and answered == len(request.calls):
            self._request = _Request()
            self._backoff.reset()
            vectors = [vector for call in request.calls for vector in call.result()]
            return dict(zip(request.keys, vectors, strict=True))
        now = self._clock()
        if request.since is None or answered > request.answered:
            request.since, request.answered = now, answered
        if any(call.done() and not _succeeded(call) for call in request.calls):
            self._embedder.discard()
        if now - request.since < _PATIENCE:
            return None
        self._give_up(request)
        return {}

    def _give_up(self, request: _Request) -> None:
        _log.error(
            "the embedder did not answer for %s: %s conversations get no vectors, and drift in their meaning is not "
            "detected until it answers", _PATIENCE, len(request.keys), extra={"action": "embed"},
        )  # fmt: skip
        self._embedder.discard()
        self._request, self._given_up = _Request(), True

    def _launch_child(self) -> ServingChild[Embedder]:
        embedder = self._launch()
        self._loaded = embedder.calls.embed([])
        return embedder

    def _child_died(self, pause_s: float) -> None:
        _log.error(
            "the embedder died; it restarts in %.0f s: %s", pause_s, self._cause(), extra={"action": "embed"}
        )
        self._request.calls = []

    def _cause(self) -> str:
        calls = self._request.calls if self._loaded is None else [*self._request.calls, self._loaded]
        errors = (call.exception() for call in calls if call.done())
        return str(next((error for error in errors if error is not None), "it did not answer"))


def _in_calls(embedder: Embedder, texts: Sequence[str]) -> list[Future[list[bytes]]]:
    return [embedder.embed(texts[first : first + _CALL]) for first in range(0, len(texts), _CALL)]


def _succeeded(call: Future[list[bytes]]) -> bool:
    return call.done() and call.exception() is None


def embedder_launcher(settings: Settings) -> Callable[[], ServingChild[Embedder]] | None:
    """Return a function that starts a child with the configured model; None without one. Raises UnusableModel."""
    section = settings.monitors.embedding
    if section.model is None:
        return None
    folder, _ = resolve_encoder(section.model)

    def launch() -> ServingChild[Embedder]:
        embedder = embedder_process(
            folder,
            device=section.device,
            threads=settings.model.threads,
            max_tokens=section.max_tokens,
            batch=section.batch,
            log=child_log(settings, "embedder"),
        )
        embedder.start()
        return embedder

    return launch


def embedded(
    samples: Sequence[Sample], embedder: Embedder, *, on_progress: Callable[[int, int], object]
) -> tuple[Sample, ...]:
    """Return the samples with their vectors, once all are made. Raises LearnerError.

    ``on_progress`` gets how many samples are done, and how many there are.
    """
    calls = _in_calls(embedder, [embedded_text(sample) for sample in samples])
    done: list[Sample] = []
    for first, call in zip(range(0, len(samples), _CALL), calls, strict=True):
        batch = samples[first : first + _CALL]
        done += (
            replace(sample, embedding=vector) for sample, vector in zip(batch, call.result(), strict=True)
        )
        on_progress(len(done), len(samples))
    return tuple(done)
