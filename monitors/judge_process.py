"""Judges windows in a child process, as the monitors are heavy to import and slow to run."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from monitors.errors import MonitorError
from monitors.parent_death import end_with_parent
from monitors.settings import MonitorSettings
from monitors.suite import Judgement, judge
from monitors.types import Reference, Window

_NICENESS = 5  # the daemon has priority
_LONGEST_S = 600.0  # a judge without an answer after this long is stuck; usually it takes seconds


class JudgeDied(MonitorError):
    """The judge process ended before it answered. Judging the window again can succeed."""


class Judge(Protocol):
    """Judges one window at a time without making the loop wait; see ``JudgeProcess`` for the promises."""

    @property
    def alive(self) -> bool: ...

    @property
    def pid(self) -> int | None: ...

    def submit(
        self, window: Window, reference: Reference, settings: MonitorSettings, earlier: Sequence[Reference]
    ) -> None: ...

    def poll(self) -> tuple[Judgement, float] | None: ...

    def stop(self, timeout_s: float) -> None: ...


class JudgeProcess:
    """Judges one window at a time in a child process. After the process died every ``poll`` raises JudgeDied."""

    def __init__(self, longest_s: float = _LONGEST_S, *, log: Path | None = None) -> None:
        """``longest_s``: seconds after which a judgement counts as stuck.

        ``log`` is the file for what the process writes on stderr; None: it shares this process's stderr.
        """
        self._longest_s = longest_s
        self._log = log
        self._submitted_at = 0.0
        self._sender: threading.Thread | None = None
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.is_alive() else None

    def start(self) -> None:
        """Start the process, which loads the monitors for some seconds; a submitted window waits for it. Call once."""
        self._pipe, child_pipe = self._context.Pipe()
        self._process = self._context.Process(
            target=_serve, args=(child_pipe, os.getpid(), self._log), name="retuned-judge", daemon=True
        )
        self._process.start()
        child_pipe.close()

    def submit(
        self, window: Window, reference: Reference, settings: MonitorSettings, earlier: Sequence[Reference]
    ) -> None:
        """Start judging a window. Submit the next one after ``poll`` returned the judgement.

        Raises JudgeDied unless the process was started; if it dies, ``poll`` raises that.
        """
        pipe, self._submitted_at = self._require_pipe(), time.monotonic()

        def send() -> None:
            with suppress(OSError):  # the process died; poll raises JudgeDied
                pipe.send((window, reference, settings, tuple(earlier)))

        # Sending blocks while the process does not read, which must not block the loop.
        self._sender = threading.Thread(target=send, name="retuned-judge-input", daemon=True)
        self._sender.start()

    def poll(self) -> tuple[Judgement, float] | None:
        """Return the judgement and how many seconds it took; None while the process is judging.

        Raises JudgeDied where the process died, or was stuck and had to be killed.
        """
        pipe = self._require_pipe()
        try:
            if pipe.poll():
                answer: tuple[Judgement, float] = pipe.recv()
                return answer
        except (EOFError, OSError) as error:
            code = self._reap(5)
            raise JudgeDied(f"exit status {code}") from error
        if time.monotonic() - self._submitted_at > self._longest_s:
            self._reap(0.0)
            raise JudgeDied(f"no answer within {self._longest_s:.0f} s")
        return None

    def stop(self, timeout_s: float) -> None:
        """End the process, by force after ``timeout_s``."""
        if self._process is not None:
            self._process.terminate()
            self._reap(timeout_s)

    def _require_pipe(self) -> Connection:
        if self._pipe is None:
            raise JudgeDied("the judge process is not running")
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
        if self._sender is not None:
            self._sender.join()  # the reader is gone, so this ends at once
        if self._pipe is not None:
            self._pipe.close()
        self._process, self._pipe = None, None
        return code


def _log_into(file: Path) -> None:
    """Write all that this process logs, and whatever else it prints, into a file of its own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        file.replace(file.with_name(f"{file.name}.1"))
    with file.open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _serve(pipe: Connection, parent: int, log: Path | None) -> None:
    """Judge windows until the parent closes the pipe or dies. Ctrl-C in a terminal is left to the parent."""
    if log is not None:
        _log_into(log)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)
    with suppress(OSError):  # not allowed: it runs with the daemon's own priority
        os.nice(_NICENESS)
    while True:
        try:
            window, reference, settings, earlier = pipe.recv()
        except (EOFError, OSError):
            return
        started = time.monotonic()
        pipe.send((judge(window, reference, settings, earlier), time.monotonic() - started))
