"""Adds up the time in which a daemon is not ready."""

import threading
import time
from http.client import HTTPException
from typing import Self
from urllib.error import HTTPError

from tests.e2e.daemon_process import DaemonProcess

_EVERY_S = 0.2


class ReadinessWatch:
    """Asks ``/readyz`` five times a second, on a thread of its own."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.not_ready_s = 0.0
        self.answers: list[str] = []  # each answer that was not 200, once
        self._daemon = daemon
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        asked = time.monotonic()
        while True:
            ready = self._ask()
            stopped = self._stop.wait(_EVERY_S)
            now = time.monotonic()
            self.not_ready_s += 0.0 if ready else now - asked
            asked = now
            if stopped:
                return

    def _ask(self) -> bool:
        try:
            self._daemon.get("/readyz")
        except HTTPError as error:
            answer = error.read().decode()
        except (OSError, HTTPException) as error:
            answer = repr(error)
        else:
            return True
        if answer not in self.answers:
            self.answers.append(answer)
        return False
