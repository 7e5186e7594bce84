"""Tells of a failure once, not at every attempt."""

import logging

from daemon.domain.errors import DaemonError


class LogOnce:
    """What goes wrong again and again, until it is over."""

    def __init__(self, doing: str, log: logging.Logger) -> None:
        self._doing = doing
        self._log = log
        self._last: object = None

    def failed(self, error: Exception) -> None:
        """Log it, unless it is of the same kind as the last: of the same text, where it is one of ours, that says why."""
        kind = str(error) if isinstance(error, DaemonError) else type(error)
        if kind != self._last:
            self._log.warning("%s fails and is tried again: %s", self._doing, error)
            self._last = kind

    def recovered(self) -> None:
        """Say that it works again, if it didn't."""
        if self._last is not None:
            self._log.info("%s works again", self._doing)
            self._last = None
