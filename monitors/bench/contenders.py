"""The protocol of the benchmark's detectors, our detector, and permutation tests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitors.bench.vectors import Vectors, matrix
from monitors.sequential.conformal_bets import LATE_ASPECTS
from monitors.sequential.edetector import DetectorSettings, EDetector
from monitors.types import Sample
from monitors.window.permutation import permutation_test

WINDOW = 200
_PERMUTATIONS = 199  # at least; a smaller level takes more

Floats = NDArray[np.float64]


class Contender(Protocol):
    """A detector on one stream against one reference. After an alarm it goes on to the next."""

    def observe(self, sample: Sample) -> bool:
        """Observe a conversation, and return whether it raises an alarm."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a contender knows before the stream begins."""

    reference: tuple[Sample, ...]
    counting: tuple[Sample, ...]  # of the reference: the first of each user in a block
    block: int
    vectors: Vectors
    conversations_between_false_alarms: int
    seed: int


Maker = Callable[[Setting], Contender]


class Windowed:
    """Tests successive windows without overlap; the last conversation of a window raises the alarm."""

    def __init__(self, test: Callable[[Sequence[Sample]], bool], size: int = WINDOW) -> None:
        self._test = test
        self._size = size
        self._window: list[Sample] = []

    def observe(self, sample: Sample) -> bool:
        """Fill the window, and test it when it is full."""
        self._window.append(sample)
        if len(self._window) < self._size:
            return False
        full, self._window = self._window, []
        return self._test(full)


class _Ours:
    """Our detector as the daemon runs it: after an alarm it keeps what it learned."""

    def __init__(self, setting: Setting) -> None:
        self._observed = 0
        self._detector = EDetector(
            setting.counting,
            DetectorSettings(
                late_aspects=LATE_ASPECTS,  # streams have no late signals, but the daemon's evidence is shared with them
                conversations_between_false_alarms=setting.conversations_between_false_alarms,
                seed=setting.seed,
            ),
            block=setting.block,
        )

    def observe(self, sample: Sample) -> bool:
        self._detector.observe(self._observed, sample)
        self._observed += 1
        if not self._detector.alarmed:
            return False
        self._detector.restart()
        return True


def _permutation_mmd(level: float | None) -> Maker:
    """Return a permutation test of each window, at a fixed level or at the level of the declared rate."""

    def make(setting: Setting) -> Contender:
        reference = matrix(setting.vectors, setting.reference)
        alpha = level or WINDOW / setting.conversations_between_false_alarms

        def test(window: Sequence[Sample]) -> bool:
            rows = np.vstack([reference, matrix(setting.vectors, window)])
            found = permutation_test(
                gaussian_kernel(rows),
                in_window=np.arange(len(rows)) >= len(reference),
                blocks=np.arange(len(rows)),
                level=alpha,
                permutations=_PERMUTATIONS,
                seed=setting.seed,
            )
            return found.p_value <= alpha

        return Windowed(test)

    return make


def gaussian_kernel(rows: Floats) -> Floats:
    """Return exp(-d^2 / m), where m is the median of the squared distances d^2."""
    squares = (rows**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * rows @ rows.T, 0)
    return np.asarray(np.exp(-distances / np.median(distances[np.triu_indices(len(rows), 1)])))


OURS = "retuned e-detector"
PLAIN: Mapping[str, Maker] = {
    OURS: _Ours,
    "permutation MMD, level .05": _permutation_mmd(0.05),
    "permutation MMD, declared rate": _permutation_mmd(None),
}
