"""Logs a repeated failure once."""

import logging
from collections.abc import Mapping

from daemon.domain.errors import DaemonError


class LogOnce:
    """Logs the first failure of a repeated action, and its recovery."""

    def __init__(self, doing: str, log: logging.Logger, *, extra: Mapping[str, object] | None = None) -> None:
        """``extra`` goes with each log record, such as its action."""
        self._doing = doing
        self._log = log
        self._extra = extra
        self._last: object = None

    def failed(self, error: Exception) -> None:
        """Log the failure unless the last was alike: of the same text if it is a DaemonError, else of the same type."""
        kind = str(error) if isinstance(error, DaemonError) else type(error)
        if kind != self._last:
            self._log.warning("%s fails and is tried again: %s", self._doing, error, extra=self._extra)
            self._last = kind

    def recovered(self) -> None:
        """Log the recovery, if the last attempt failed."""
        if self._last is not None:
            self._log.info("%s works again", self._doing, extra=self._extra)
            self._last = None
