"""The time that conversations span. Loads nothing heavy."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from monitors.types import Sample

MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
#: One in so many times is trimmed at either end, so that a record with a wrong clock does not widen the span.
_TRIMMED = 100

_Ordered = TypeVar("_Ordered", datetime, int)


def trimmed_range(times: Sequence[_Ordered]) -> tuple[_Ordered, _Ordered]:
    """Return the first and the last time after trimming a hundredth at either end. Needs at least one time."""
    ordered = sorted(times)
    trimmed = len(ordered) // _TRIMMED
    return ordered[trimmed], ordered[len(ordered) - 1 - trimmed]


def spanned_days(samples: Sequence[Sample]) -> float:
    """Return how many days samples span; 0 for none."""
    if not samples:
        return 0.0
    earliest, latest = trimmed_range([sample.at for sample in samples])
    return (latest - earliest) / DAY
