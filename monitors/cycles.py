"""Selects conversations of a reference by the time of the day.

Streams have daily and weekly cycles. A reference that spans six hours says nothing about the other eighteen; one that
spans some days can't distinguish a weekend from a change.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from monitors.times import DAY, MONDAY
from monitors.types import Reference, Sample, Window

#: A reference covers a time of the day if at least one in _MIN_SHARE of its conversations took place within this of it.
NEAR = timedelta(hours=1)
_MIN_SHARE = 100
#: Maximum distance in time of the day between a conversation of a window and one that it is compared with.
_MAX_DISTANCE = timedelta(hours=3)
#: Times that stand for those of a window, and how many of them may find no match.
_ANCHORS, _MAX_UNMATCHED = 20, 2

Floats = NDArray[np.float64]


def time_of_day(at: datetime) -> float:
    """Return the elapsed share of the UTC day, from 0 to 1."""
    return ((at - MONDAY) % DAY) / DAY


class KnownTimes:
    """The times of the day that a reference covers."""

    def __init__(self, times: Sequence[datetime]) -> None:
        self._phases = np.sort([time_of_day(at) for at in times])
        self._enough = max(1, len(times) // _MIN_SHARE)

    def __contains__(self, at: datetime) -> bool:
        """Whether enough conversations took place at about this time of the day."""
        return bool(_near(self._phases, time_of_day(at), NEAR).sum() >= self._enough)


def time_matched(window: Window, reference: Reference, *, cycle_days: float) -> Reference:
    """Return the reference to judge a window against; where a cycle is expected, its part at the window's times of day."""
    if not cycle_days or not window.samples:
        return reference
    return replace(reference, samples=match_time_of_day(window.samples, reference.samples))


def match_time_of_day(window: Sequence[Sample], reference: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return samples of the reference with the window's distribution of times of the day, in order of time of day.

    Twenty evenly chosen times of the window take turns. At each turn, each takes the nearest free sample of the reference
    within three hours, until more than two find none. If that happens at the first turn, the reference does not cover
    the window's time of the day, and the result is empty.
    """
    ordered = sorted(reference, key=lambda sample: (time_of_day(sample.at), sample.id))
    phases = np.array([time_of_day(sample.at) for sample in ordered])
    anchors = _evenly(sorted(time_of_day(sample.at) for sample in window))
    free = np.ones(len(ordered), dtype=np.bool_)
    taken: list[int] = []
    while anchors:
        turn = _one_turn(phases, free, anchors)
        if len(turn) + _MAX_UNMATCHED * len(anchors) / _ANCHORS < len(anchors):
            break
        taken += turn
    return tuple(ordered[place] for place in sorted(taken))


def _one_turn(phases: Floats, free: NDArray[np.bool_], anchors: Sequence[float]) -> list[int]:
    """Return the places taken by the anchors that found one, and mark them in ``free`` as taken."""
    taken: list[int] = []
    for anchor in anchors:
        near = np.flatnonzero(free & _near(phases, anchor, _MAX_DISTANCE))
        if near.size:
            nearest = int(near[np.argmin(_distance(phases[near], anchor))])
            free[nearest] = False
            taken.append(nearest)
    return taken


def _evenly(ordered: Sequence[float]) -> list[float]:
    count = min(_ANCHORS, len(ordered))
    return [ordered[(2 * turn + 1) * len(ordered) // (2 * count)] for turn in range(count)]


def _near(phases: Floats, phase: float, within: timedelta) -> NDArray[np.bool_]:
    return np.asarray(_distance(phases, phase) <= within / DAY)


def _distance(phases: Floats, phase: float) -> Floats:
    difference = np.abs(phases - phase)
    return np.asarray(np.minimum(difference, 1 - difference))
