"""Measures the cost of our detector: an update, a confirmation, and memory over a long stream."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice

import numpy as np
import psutil

from monitors.bench.populations import Population
from monitors.features import text_features
from monitors.sequential.edetector import EDetector
from monitors.texts import user_text
from monitors.types import Sample
from monitors.window.permutation import permutation_test

_SIDE = 500  # conversations of each side of a confirmation
_PERMUTATIONS = 1_999
_WARM_UP = 0.2  # share of the long stream after which memory should be constant


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorCost:
    """Processor time on one core, and memory. Field names are keys of results.json."""

    update_us: float  # mean for a conversation
    update_p99_us: float
    confirmation_s: float
    endless: int  # conversations of the long stream
    grown_mb: float  # growth of the process after the first fifth of the long stream


def measure(
    population: Population, *, reference: int, timed: int, endless: int, level: float
) -> DetectorCost:
    """Measure on the conversations of a population before its change."""
    samples = [sample for regime in population.before.values() for sample in regime]
    order = np.random.default_rng(0).permutation(len(samples))
    shuffled = [samples[n] for n in order]
    detector = EDetector(list(islice(_fresh(shuffled), reference)))
    spent = [
        _seconds_of(detector, number, sample) for number, sample in enumerate(islice(_fresh(shuffled), timed))
    ]
    return DetectorCost(
        update_us=1e6 * float(np.mean(spent)),
        update_p99_us=1e6 * float(np.quantile(spent, 0.99)),
        confirmation_s=_confirmation_s(list(islice(_fresh(shuffled), 2 * _SIDE)), level),
        endless=endless,
        grown_mb=_grown_mb(detector, shuffled, endless, seen=timed),
    )


def _fresh(samples: list[Sample]) -> Iterator[Sample]:
    """Yield conversations without end, each with a user of its own."""
    for number, sample in enumerate(cycle(samples)):
        yield replace(sample, id=f"{number}", group=f"user{number}")


def _seconds_of(detector: EDetector, number: int, sample: Sample) -> float:
    started = time.process_time()
    detector.observe(number, sample)
    return time.process_time() - started


def _confirmation_s(samples: list[Sample], level: float) -> float:
    started = time.process_time()
    features = text_features([user_text(sample) for sample in samples])
    permutation_test(
        (features @ features.T).toarray(),
        in_window=np.arange(len(samples)) >= len(samples) // 2,
        blocks=np.arange(len(samples)),
        level=level,
        permutations=_PERMUTATIONS,
        seed=0,
    )
    return time.process_time() - started


def _grown_mb(detector: EDetector, samples: list[Sample], endless: int, *, seen: int) -> float:
    process, settled = psutil.Process(), 0
    for number, sample in enumerate(islice(_fresh(samples), endless)):
        detector.observe(seen + number, sample)
        if number == int(_WARM_UP * endless):
            settled = process.memory_info().rss
    return (process.memory_info().rss - settled) / 2**20
