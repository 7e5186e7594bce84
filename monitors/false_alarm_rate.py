"""The one number that sets every alarm's level: conversations between false alarms. And p-values as scores."""

from math import log10

from monitors.types import Window

_MOST = 0.2
_SMALLEST_P = 1e-300


def false_alarm_level(window: Window, conversations_between_false_alarms: int) -> float:
    """Return the share of windows without change that may raise an alarm. It is never above 1 in 5."""
    return min(_MOST, max(1, len(window.samples)) / conversations_between_false_alarms)


def score_of(p_value: float) -> float:
    """Return -log10 of a p-value, or of a level: larger is more certain. It is finite for 0, too."""
    return -log10(max(p_value, _SMALLEST_P))
