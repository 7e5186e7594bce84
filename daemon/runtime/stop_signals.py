"""Stops the daemon on SIGTERM and SIGINT."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

_log = logging.getLogger(__name__)


@contextmanager
def stop_on_signals() -> Iterator[Event]:
    """Give an event that SIGTERM and SIGINT set; put the earlier handlers back at the end."""
    stop = Event()

    def handle(number: int, _frame: FrameType | None) -> None:
        _log.info("%s: stopping", signal.Signals(number).name, extra={"action": "stop"})
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
