"""Errors that monitors raise."""


class MonitorError(Exception):
    """Root of all errors of monitors."""
