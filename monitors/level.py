"""The one number that sets every alarm's level: conversations between false alarms."""

from monitors.types import Window

_MOST = 0.2


def false_alarm_level(window: Window, conversations_between_false_alarms: int) -> float:
    """Return the share of windows without change that may raise an alarm. It is never above 1 in 5."""
    return min(_MOST, max(1, len(window.samples)) / conversations_between_false_alarms)
