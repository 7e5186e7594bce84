"""Notes SIGHUP, which asks the daemon to read its settings again."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_log = logging.getLogger(__name__)
_TERMINAL = "/dev/tty"


class ReloadRequests:
    """Counts requests. Each line of a daemon compares the count with the one that it has answered."""

    def __init__(self) -> None:
        self.number = 0

    def add(self) -> None:
        """Note one more request."""
        self.number += 1


@contextmanager
def reload_on_hangup() -> Iterator[ReloadRequests]:
    """Give a counter of the SIGHUPs that arrive; put the earlier handler back at the end.

    A terminal that is closed sends SIGHUP too: then the daemon stops, as it does on SIGTERM.
    """
    requests, on_terminal = ReloadRequests(), _has_terminal()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if on_terminal and not _has_terminal():
            _log.info("the terminal was closed: stopping", extra={"action": "stop"})
            signal.raise_signal(signal.SIGTERM)
        else:
            requests.add()

    before = signal.signal(signal.SIGHUP, handle)
    try:
        yield requests
    finally:
        signal.signal(signal.SIGHUP, before)


def _has_terminal() -> bool:
    """Return whether the process has a controlling terminal."""
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
