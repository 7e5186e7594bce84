"""Tells of a failure once, not at every attempt."""

import logging


class Trouble:
    """What goes wrong again and again, until it is over."""

    def __init__(self, doing: str, log: logging.Logger) -> None:
        self._doing = doing
        self._log = log
        self._last: type[Exception] | None = None

    def note(self, error: Exception) -> None:
        """Log it, unless it is of the same kind as the last."""
        if type(error) is not self._last:
            self._log.warning("%s fails and is tried again: %s", self._doing, error)
            self._last = type(error)

    def over(self) -> None:
        """Say that it works again, if it didn't."""
        if self._last is not None:
            self._log.info("%s works again", self._doing)
            self._last = None
