"""Errors that monitors raise."""


class MonitorError(Exception):
    """Root of all errors of monitors."""


class NothingToReport(MonitorError):
    """There is nothing to compare. Wait for more conversations."""
