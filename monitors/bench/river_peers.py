"""River's detectors with their defaults, on one number for each conversation.

The number is the distance from the centre of the reference, in standard deviations of the reference. The detectors first
observe the reference, as they learn the normal state from the stream.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from river import drift

from monitors.bench.contenders import Contender, Maker, Setting
from monitors.bench.vectors import Vectors, matrix
from monitors.types import Sample


class _Detector(Protocol):
    @property
    def drift_detected(self) -> bool: ...

    def update(self, x: float) -> object: ...


class _Scalar:
    def __init__(self, setting: Setting, detector: _Detector) -> None:
        self._vectors: Vectors = setting.vectors
        rows = matrix(setting.vectors, setting.reference)
        self._centre = rows.mean(axis=0)
        distances = np.linalg.norm(rows - self._centre, axis=1)
        self._mean, self._deviation = distances.mean(), distances.std() or 1.0
        self._detector = detector
        for distance in distances:
            detector.update(float((distance - self._mean) / self._deviation))

    def observe(self, sample: Sample) -> bool:
        (row,) = matrix(self._vectors, [sample])
        distance = np.linalg.norm(row - self._centre)
        self._detector.update(float((distance - self._mean) / self._deviation))
        return bool(self._detector.drift_detected)


def _scalar(detector: Callable[[int], _Detector]) -> Maker:
    def make(setting: Setting) -> Contender:
        return _Scalar(setting, detector(setting.seed))

    return make


RIVER: Mapping[str, Maker] = {
    "River ADWIN": _scalar(lambda _: drift.ADWIN()),  # type: ignore[no-untyped-call]
    "River KSWIN": _scalar(lambda seed: drift.KSWIN(seed=seed)),
    "River Page-Hinkley": _scalar(lambda _: drift.PageHinkley()),
}
