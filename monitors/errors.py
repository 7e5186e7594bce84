"""Errors that monitors raise."""


class MonitorError(Exception):
    """Root of all errors of monitors."""


class NothingToReport(MonitorError):
    """There are too few conversations to compare. Wait for more."""


class InvalidSettings(MonitorError, ValueError):
    """The settings contradict each other. The message names the setting and its allowed values."""
