"""Levels of tests that follow from the declared false-alarm rate, and p-values as scores."""

from math import log10

from monitors.types import Window

_MAX_LEVEL = 0.2
_SMALLEST_P = 1e-300


def false_alarm_level(window: Window, conversations_between_false_alarms: int) -> float:
    """Return the level at which a window is tested: the share of windows without a change that may be drift, at most 0.2."""
    return min(_MAX_LEVEL, max(1, len(window.samples)) / conversations_between_false_alarms)


def score_of(p_value: float) -> float:
    """Return -log10 of a p-value or of a level, finite for 0 too; larger is more certain."""
    return -log10(max(p_value, _SMALLEST_P))
