"""Logs what ends the daemon."""

import logging

_log = logging.getLogger(__name__)


def log_fatal(message: str, error: Exception, *, expected: bool) -> None:
    """Log the error that ends the daemon, in the log's own format.

    The traceback goes with it at level DEBUG alone; the kind of an error that nobody expected always does.
    """
    debug = logging.getLogger("daemon").isEnabledFor(logging.DEBUG)
    exc_info = error if debug or not expected else None
    _log.critical("%s", message, exc_info=exc_info, extra={"action": "end"})
