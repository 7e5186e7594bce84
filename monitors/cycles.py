"""Time of the day: what a reference that has not lived through a whole cycle can be compared with.

Streams have days and weeks. A reference that spans six hours knows nothing of the other eighteen, so what comes then is
no evidence for or against a change; one that spans some days can't tell a weekend from a change.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from monitors.times import DAY, MONDAY
from monitors.types import Reference, Sample, Window

#: A reference knows a time of the day where a hundredth of its conversations took place within so much of it.
NEAR = timedelta(hours=1)
_KNOWN = 100
#: Conversations of a window are compared with those that took place within so much of their time of the day.
_ALIKE = timedelta(hours=3)
#: A window's times are told by so many of them, evenly chosen; of these, so many may find no partner.
_TURNS, _ALONE = 20, 2

Floats = NDArray[np.float64]


def time_of_day(at: datetime) -> float:
    """Return the share of the UTC day that is over, from 0 to 1."""
    return ((at - MONDAY) % DAY) / DAY


class KnownTimes:
    """Tells which times of the day a reference knows."""

    def __init__(self, times: Sequence[datetime]) -> None:
        self._phases = np.sort([time_of_day(at) for at in times])
        self._enough = max(1, len(times) // _KNOWN)

    def __contains__(self, at: datetime) -> bool:
        """Whether enough conversations took place about this time of a day."""
        return bool(_near(self._phases, time_of_day(at), NEAR).sum() >= self._enough)


def compared(window: Window, reference: Reference, *, cycle_days: float) -> Reference:
    """Return the reference to judge a window against: where a cycle is expected, its part that is alike in time."""
    if not cycle_days or not window.samples:
        return reference
    return replace(reference, samples=alike_in_time(window.samples, reference.samples))


def alike_in_time(window: Sequence[Sample], reference: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return those of the reference that took place at the times of the day of the window's, in their proportions.

    Twenty of the window's times, evenly chosen, take turns: each takes the nearest of the reference that nobody took, at
    most three hours away, until more than two of them find none. Nothing, where that is so at the first turn: then the
    reference does not know the window's time of the day.
    """
    ordered = sorted(reference, key=lambda sample: (time_of_day(sample.at), sample.id))
    phases = np.array([time_of_day(sample.at) for sample in ordered])
    anchors = _evenly(sorted(time_of_day(sample.at) for sample in window))
    left = np.ones(len(ordered), dtype=np.bool_)
    taken: list[int] = []
    while anchors:
        turn = _one_turn(phases, left, anchors)
        if len(turn) + _ALONE * len(anchors) / _TURNS < len(anchors):
            break
        taken += turn
    return tuple(ordered[place] for place in sorted(taken))


def _one_turn(phases: Floats, left: NDArray[np.bool_], anchors: Sequence[float]) -> list[int]:
    turn: list[int] = []
    for anchor in anchors:
        free = np.flatnonzero(left & _near(phases, anchor, _ALIKE))
        if free.size:
            nearest = int(free[np.argmin(_distance(phases[free], anchor))])
            left[nearest] = False
            turn.append(nearest)
    return turn


def _evenly(ordered: Sequence[float]) -> list[float]:
    count = min(_TURNS, len(ordered))
    return [ordered[(2 * turn + 1) * len(ordered) // (2 * count)] for turn in range(count)]


def _near(phases: Floats, phase: float, within: timedelta) -> NDArray[np.bool_]:
    return np.asarray(_distance(phases, phase) <= within / DAY)


def _distance(phases: Floats, phase: float) -> Floats:
    apart = np.abs(phases - phase)
    return np.asarray(np.minimum(apart, 1 - apart))
