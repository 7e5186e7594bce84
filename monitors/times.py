"""The time that conversations span. Light, as commands that only look ask for it too."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from monitors.types import Sample

MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
#: One in so many is passed over at either end: a clock that is wrong in some record proves no span.
_TRIMMED = 100

_Ordered = TypeVar("_Ordered", datetime, int)


def core(times: Sequence[_Ordered]) -> tuple[_Ordered, _Ordered]:
    """Return the first and the last, but for a hundredth of all at either end. Needs at least one."""
    ordered = sorted(times)
    trimmed = len(ordered) // _TRIMMED
    return ordered[trimmed], ordered[len(ordered) - 1 - trimmed]


def spanned_days(samples: Sequence[Sample]) -> float:
    """Return the days that samples span."""
    if not samples:
        return 0.0
    earliest, latest = core([sample.at for sample in samples])
    return (latest - earliest) / DAY
