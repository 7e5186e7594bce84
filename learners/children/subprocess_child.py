"""Starts a child process, reads its output and ends it without blocking. Imports no torch."""

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import IO

import psutil

from learners.errors import ChildDied

_TAIL = 2000  # bytes of stderr that an error quotes
#: Threads that wait let go of their cores, as the daemon's children share them: on two busy cores a training step
#: took 92 s with spinning threads and 2.8 s with sleeping ones. The caller's own choice goes first.
_DEFAULTS = {"OMP_WAIT_POLICY": "PASSIVE"}
#: Children don't ask the network, don't multiply threads that are counted elsewhere, and are reproducible.
_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # cuBLAS is deterministic only with it
}


#: Children give way to the daemon itself: its intake is to go on while they load and compute. By how much, and at most.
_NICENESS, _LEAST_URGENT = 5, 19
_log = logging.getLogger(__name__)


class SubprocessChild:
    """A child ``python -m MODULE ARGUMENTS``. Its stdout lines go to ``on_line``, its end to ``on_end``.

    Both are called in a reader thread; ``on_end`` once, last, and with what to say if the child owes an answer. stderr goes to ``log``, a file opened for
    reading too and closed in the end; stdin stays open until ``stop``, so that a child can notice its parent's death.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        log: IO[bytes],
        on_line: Callable[[str], None],
        on_end: Callable[[ChildDied], None],
    ) -> None:
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # The caller's own, passed on: no setting is read here.
            env={**_DEFAULTS, **os.environ, **_ENVIRONMENT},
        )
        _give_way(self._process.pid)
        self._on_line = on_line
        self._on_end = on_end
        self._reader = threading.Thread(target=self._read, name=f"{module}-reader", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101 (asked for above)
        return self._process.stdin

    def _died(self) -> ChildDied:
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        hint = " (out of memory?)" if code == -9 else ""
        return ChildDied(
            f"the child process ended with {how}{hint}; its last words: {self._stderr_tail() or 'none'}"
        )

    def terminate(self) -> None:
        """Ask the child to end."""
        if self.alive:
            self._process.terminate()

    def stop(self, timeout_s: float) -> None:
        """Ask the child to end; kill it after ``timeout_s``. Nothing of it remains."""
        self.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        with contextlib.suppress(BrokenPipeError):  # it ended before it read all input
            self.stdin.close()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 (asked for above)
        try:
            with self._process.stdout as stdout:
                for line in stdout:
                    self._on_line(line.decode("utf-8", "replace"))
        except Exception:
            self._process.kill()  # its output is no longer read
            raise
        finally:
            self._process.wait()
            self._on_end(self._died())

    def _stderr_tail(self) -> str:
        with self._log as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL))
            return _without_traceback(log.read().decode("utf-8", "replace").strip())


def _give_way(pid: int) -> None:
    """Lower a child's priority, from what it has of this process; where that is not allowed, it runs as it is."""
    try:
        child = psutil.Process(pid)
        child.nice(min(_LEAST_URGENT, child.nice() + _NICENESS))
    except psutil.NoSuchProcess:  # it has ended already
        pass
    except (psutil.Error, OSError) as error:
        _note_priority(str(error))


@cache
def _note_priority(reason: str) -> None:
    """Log it once, not for each child."""
    _log.warning("children run with the daemon's own priority, as it can't be lowered: %s", reason)


def _without_traceback(text: str) -> str:
    """Return the text, or only its last line where a traceback is in it: that says what the error was."""
    return text.splitlines()[-1].strip() if "Traceback (most recent call last)" in text else text
