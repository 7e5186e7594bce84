"""Runs the monitors in a process of their own: they are heavy to import and must not delay the intake."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Protocol

from monitors.errors import MonitorError
from monitors.parent_death import end_with_parent
from monitors.settings import MonitorSettings
from monitors.suite import Judgement, judge
from monitors.types import Reference, Window

_NICENESS = 5  # it gives way to the daemon itself
_LONGEST_S = 600.0  # that judging may take: seconds, mostly; beyond that it is stuck


class JudgeDied(MonitorError):
    """The judging process ended before it answered."""


class Judge(Protocol):
    """Judges one window at a time, beside the loop. ``JudgeProcess`` says what each call promises."""

    def start(self) -> None: ...

    def submit(
        self, window: Window, reference: Reference, settings: MonitorSettings, earlier: Sequence[Reference]
    ) -> None: ...

    def poll(self) -> tuple[Judgement, float] | None: ...

    def stop(self, timeout_s: float) -> None: ...


class JudgeProcess:
    """Judges one window at a time, in a process that is replaced when it dies."""

    def __init__(self, longest_s: float = _LONGEST_S) -> None:
        self._longest_s = longest_s
        self._submitted = 0.0
        self._handing_over: threading.Thread | None = None
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.is_alive() else None

    def start(self) -> None:
        """Start the process ahead of the first window, so that handing over a window does not wait for it."""
        if self._process is None or not self._process.is_alive():
            self._start()

    def submit(
        self, window: Window, reference: Reference, settings: MonitorSettings, earlier: Sequence[Reference]
    ) -> None:
        """Start judging. The answer comes from ``poll``; submit again only after that."""
        self.start()
        pipe, self._submitted = self._require_pipe(), time.monotonic()

        def hand_over() -> None:
            with suppress(OSError):  # it died just now; poll says so
                pipe.send((window, reference, settings, tuple(earlier)))

        # Sending waits for the reader, which may hang; the loop must not.
        self._handing_over = threading.Thread(target=hand_over, name="retuned-judge-input", daemon=True)
        self._handing_over.start()

    def poll(self) -> tuple[Judgement, float] | None:
        """Return the judgement and its seconds, None while there is none yet.

        Raises JudgeDied, also where it was stuck and had to be ended.
        """
        pipe = self._require_pipe()
        try:
            if pipe.poll():
                answer: tuple[Judgement, float] = pipe.recv()
                return answer
        except (EOFError, OSError) as error:
            code = self._reap(5)
            raise JudgeDied(f"exit status {code}") from error
        if time.monotonic() - self._submitted > self._longest_s:
            self._reap(0.0)
            raise JudgeDied(f"no answer within {self._longest_s:.0f} s")
        return None

    def stop(self, timeout_s: float) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.terminate()
            self._reap(timeout_s)

    def _start(self) -> None:
        self._reap(0.0)
        self._pipe, far = self._context.Pipe()
        self._process = self._context.Process(
            target=_serve, args=(far, os.getpid()), name="retuned-judge", daemon=True
        )
        self._process.start()
        far.close()

    def _require_pipe(self) -> Connection:
        if self._pipe is None:
            raise JudgeDied("it is not running")
        return self._pipe

    def _reap(self, timeout_s: float) -> int | None:
        if self._process is None:
            return None
        self._process.join(timeout_s)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        code = self._process.exitcode
        self._process.close()
        if self._handing_over is not None:
            self._handing_over.join()  # nobody reads any more, so it ends
        if self._pipe is not None:
            self._pipe.close()
        self._process, self._pipe = None, None
        return code


def _serve(pipe: Connection, parent: int) -> None:
    """Answer until the parent hangs up, or dies: then a window that is being judged is of no use.

    Ctrl-C in a terminal is the parent's to handle.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)
    os.nice(_NICENESS)
    while True:
        try:
            window, reference, settings, earlier = pipe.recv()
        except (EOFError, OSError):
            return
        started = time.monotonic()
        pipe.send((judge(window, reference, settings, earlier), time.monotonic() - started))
