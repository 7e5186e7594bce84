"""Lets a broker be killed between two writes of a thread, and in none."""

import contextlib
import threading
from collections.abc import Iterator

from daemon.kafka import KafkaSink
from tests.support.helpers import eventually


class SettledWrites:
    """Flushes of one sink, between which nothing is on its way to the broker."""

    def __init__(self) -> None:
        self._settled = False
        self._writes = threading.Lock()

    def flush(self, sink: KafkaSink, timeout_s: float) -> None:
        with self._writes:
            self._settled = sink.flush(timeout_s)

    @contextlib.contextmanager
    def between(self) -> Iterator[None]:
        """Tansu killed in the middle of a write may acknowledge its repetition without keeping it."""
        eventually(self._are_done, deadline_s=60)
        try:
            yield
        finally:
            self._writes.release()

    def _are_done(self) -> bool:
        self._writes.acquire()
        if not self._settled:
            self._writes.release()
        return self._settled
