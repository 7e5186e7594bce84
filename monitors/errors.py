"""Errors that monitors raise."""


class MonitorError(Exception):
    """Root of all errors of monitors."""


class NothingToReport(MonitorError):
    """There is nothing to compare. Wait for more conversations."""


class InvalidSettings(MonitorError, ValueError):
    """The settings contradict themselves. The message names the setting and what it may be."""
