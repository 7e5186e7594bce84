"""Reports the progress of a run about once a second."""

import time
from collections.abc import Callable
from typing import Literal

import psutil

from learners.types import Progress

Report = Callable[[Progress], None]
_EVERY_S = 1.0
_SMOOTHING = 0.9


class ProgressMeter:
    """Turns steps into Progress with a smoothed loss and the estimated time left."""

    def __init__(self, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._report = report
        self._clock = clock
        self._process = psutil.Process()
        self._started = self._last = clock()
        self._first_step = self._step = self._steps = 0
        self._first_tokens = self._tokens = 0
        self._loss: float | None = None
        self._rate: float | None = None

    def phase(self, phase: Literal["loading", "encoding", "writing"]) -> None:
        """Report at once which phase begins."""
        self._say(phase)

    def begin(self, *, step: int, steps: int, tokens: int) -> None:
        """Note that the steps begin: at 0, or at a checkpoint."""
        self._started = self._clock()
        self._first_step, self._step, self._steps = step, step, steps
        self._first_tokens = self._tokens = tokens
        self._say("training")

    def advance(self, *, loss: float, tokens: int, learning_rate: float) -> None:
        """Note one more step."""
        self._step += 1
        self._tokens += tokens
        self._rate = learning_rate
        self._loss = loss if self._loss is None else _SMOOTHING * self._loss + (1 - _SMOOTHING) * loss
        if self._clock() - self._last >= _EVERY_S:
            self._say("training")

    @property
    def seconds(self) -> float:
        """Seconds since the steps began."""
        return self._clock() - self._started

    def _say(self, phase: Literal["loading", "encoding", "training", "writing"]) -> None:
        self._last = self._clock()
        done = self._step - self._first_step
        self._report(
            Progress(
                phase=phase,
                step=self._step,
                steps=self._steps,
                loss=self._loss,
                learning_rate=self._rate,
                tokens=self._tokens,
                tokens_per_s=(self._tokens - self._first_tokens) / self.seconds if done else 0.0,
                seconds_left=(self._steps - self._step) * self.seconds / done if done else None,
                rss_bytes=self._process.memory_info().rss,
            )
        )
