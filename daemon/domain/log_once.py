"""Tells of a failure once, not at every attempt."""

import logging
from collections.abc import Mapping

from daemon.domain.errors import DaemonError


class LogOnce:
    """What goes wrong again and again, until it is over."""

    def __init__(self, doing: str, log: logging.Logger, *, extra: Mapping[str, object] | None = None) -> None:
        """``extra`` goes with each log record, such as its action."""
        self._doing = doing
        self._log = log
        self._extra = extra
        self._last: object = None

    def failed(self, error: Exception) -> None:
        """Log it, unless it is of the same kind as the last: of the same text, where it is one of ours, that says why."""
        kind = str(error) if isinstance(error, DaemonError) else type(error)
        if kind != self._last:
            self._log.warning("%s fails and is tried again: %s", self._doing, error, extra=self._extra)
            self._last = kind

    def recovered(self) -> None:
        """Say that it works again, if it didn't."""
        if self._last is not None:
            self._log.info("%s works again", self._doing, extra=self._extra)
            self._last = None
