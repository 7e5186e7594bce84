"""Means with intervals where cases come in clusters, such as answers of one conversation tree."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_RESAMPLES = 2_000


class Estimate(NamedTuple):
    """A mean, and the 95% interval of a bootstrap that draws whole clusters."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


def estimate(cases: Sequence[tuple[str, float]]) -> Estimate:
    """Return the mean of the values of (cluster, value), each case counted once."""
    clusters: defaultdict[str, list[float]] = defaultdict(list)
    for cluster, value in cases:
        clusters[cluster].append(value)
    sums = [(sum(values), len(values)) for values in clusters.values()]
    generator = random.Random(0)
    means = sorted(_mean(generator.choices(sums, k=len(sums))) for _ in range(_RESAMPLES))
    return Estimate(_mean(sums), means[round(0.025 * _RESAMPLES)], means[round(0.975 * _RESAMPLES) - 1])


def _mean(sums: Sequence[tuple[float, int]]) -> float:
    return sum(total for total, _ in sums) / sum(count for _, count in sums)


def split(
    clusters: Mapping[str, object] | Sequence[str], *, seed: int
) -> tuple[frozenset[str], frozenset[str]]:
    """Return two halves of the clusters, drawn at random."""
    names = sorted(set(clusters))
    random.Random(seed).shuffle(names)
    half = len(names) // 2
    return frozenset(names[:half]), frozenset(names[half:])
