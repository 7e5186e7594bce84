"""Has conversations embedded in a child process: the daemon without ever waiting for it, a command until it is done."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from daemon.config.settings import Settings
from daemon.domain.clock import Clock
from daemon.drift.samples import embedded_text
from daemon.telemetry.metrics import Metrics
from learners.embedding.encoder_files import resolve_encoder
from learners.embedding.process import Embedder, EmbedderProcess
from monitors.types import Sample

_log = logging.getLogger(__name__)
#: Without an answer for so long, conversations go on without vectors.
_PATIENCE = timedelta(minutes=2)
_PAUSE, _LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=10)
_CALL = 32  # texts: so many that a call is answered well within the patience

Vectors = Mapping[int, bytes]


@dataclass(slots=True)
class _Asked:
    """What is waited for."""

    keys: tuple[int, ...] = ()
    calls: list[Future[list[bytes]]] = field(default_factory=list)  # none while the child is gone
    answered: int = 0
    since: datetime | None = None  # when there was an answer last, or the first call


class Embeddings:
    """The vectors of texts from a child that is started again, after ever longer pauses, when it dies.

    One set of texts is asked for at a time. While the child is gone or silent they wait, but not for ever: then there
    are no vectors, for these and all that follow, until it answers again.
    """

    def __init__(self, start: Callable[[], Embedder], *, metrics: Metrics, clock: Clock) -> None:
        self._start = start
        self._metrics = metrics.process
        self._clock = clock
        self._pause = _PAUSE
        self._restart_at: datetime | None = None
        self._given_up = False
        self._asked = _Asked()
        self._begin()

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._embedder.pid

    @property
    def answers(self) -> bool:
        """Whether the child has loaded its model and runs."""
        return self._embedder.alive and _succeeded(self._ready)

    def of(self, texts: Mapping[int, str]) -> Vectors | None:
        """Return the vectors, or those that there are; None while they are being made: ask again for the same texts."""
        self._revive()
        if self._given_up:
            if not self.answers:
                return {}
            self._given_up = False
            _log.info("the embedder answers again", extra={"action": "embed"})
        if self._asked.keys != tuple(texts):
            self._asked = _Asked(keys=tuple(texts))
        if not self._asked.calls and self._embedder.alive:
            given = list(texts.values())
            self._asked.calls = [
                self._embedder.embed(given[first : first + _CALL]) for first in range(0, len(given), _CALL)
            ]
        return self._answered(self._asked)

    def close(self, timeout_s: float) -> None:
        """End the child."""
        self._embedder.stop(timeout_s)

    def _answered(self, asked: _Asked) -> Vectors | None:
        answered = sum(map(_succeeded, asked.calls))
        if asked.calls and answered == len(asked.calls):
            self._asked, self._pause = _Asked(), _PAUSE
            vectors = [vector for call in asked.calls for vector in call.result()]
            return dict(zip(asked.keys, vectors, strict=True))
        now = self._clock()
        if asked.since is None or answered > asked.answered:
            asked.since, asked.answered = now, answered
        if any(call.done() and not _succeeded(call) for call in asked.calls):
            self._replace()
        if now - asked.since < _PATIENCE:
            return None
        _log.error(
            "no vectors for %s conversations, as the embedder has not answered for %s: what users mean is not watched "
            "until it does", len(asked.keys), _PATIENCE, extra={"action": "embed"},
        )  # fmt: skip
        self._replace()
        self._asked, self._given_up = _Asked(), True
        return {}

    def _replace(self) -> None:
        """End a child that is in doubt; it is started again like one that died."""
        self._embedder.stop(1)

    def _revive(self) -> None:
        """Start the child again where it is dead and has been for its pause."""
        if self._embedder.alive:
            return
        now = self._clock()
        if self._restart_at is None:
            self._restart_at = now + self._pause
            _log.error(
                "the embedder ended, and is started again in %s: %s", self._pause, self._why(), extra={"action": "embed"}
            )  # fmt: skip
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            self._asked.calls = []
        elif now >= self._restart_at:
            self._restart_at = None
            self._metrics.child_restarts("embedder").inc()
            self._embedder.stop(1)
            self._begin()

    def _why(self) -> str:
        errors = (call.exception() for call in (*self._asked.calls, self._ready) if call.done())
        return str(next((error for error in errors if error is not None), "it was silent"))

    def _begin(self) -> None:
        self._embedder = self._start()
        self._ready = self._embedder.embed([])


def _succeeded(call: Future[list[bytes]]) -> bool:
    return call.done() and call.exception() is None


def embedder_maker(settings: Settings) -> Callable[[], EmbedderProcess] | None:
    """Return what starts a child with the configured model; None where none is. Raises UnusableModel."""
    section = settings.monitors.embedding
    if section.model is None:
        return None
    folder, _ = resolve_encoder(section.model)

    def start() -> EmbedderProcess:
        embedder = EmbedderProcess(
            folder,
            device=section.device,
            threads=settings.model.threads,
            max_tokens=section.max_tokens,
            batch=section.batch,
        )
        embedder.start()
        return embedder

    return start


def embedded(
    samples: Sequence[Sample], embedder: Embedder, *, on_progress: Callable[[int, int], object]
) -> tuple[Sample, ...]:
    """Return the samples with their vectors, once all are made. Raises LearnerError.

    ``on_progress`` hears how many are done, of how many.
    """
    batches = [samples[first : first + _CALL] for first in range(0, len(samples), _CALL)]
    calls = [embedder.embed([embedded_text(sample) for sample in batch]) for batch in batches]
    found: list[Sample] = []
    for batch, call in zip(batches, calls, strict=True):
        found += (
            replace(sample, embedding=vector) for sample, vector in zip(batch, call.result(), strict=True)
        )
        on_progress(len(found), len(samples))
    return tuple(found)
