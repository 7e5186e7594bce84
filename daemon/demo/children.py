"""Starts the demo's child processes, none of which outlives the demo."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.config.settings import HttpSection
from daemon.demo.errors import DaemonEnded
from daemon.http.probe import probe

_KILL_AFTER_S = 30.0
_LAST_WORDS = 1_500  # characters of a log


def offline(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for children, without settings of another daemon and without downloads."""
    kept = {name: value for name, value in environ.items() if not name.startswith("RETUNED_")}
    return kept | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def spawn(arguments: Sequence[str], log: Path, *, keep_stdout: bool = False) -> subprocess.Popen[str]:
    """Start ``python ARGUMENTS`` in a session of its own, with its output in ``log``. It ends with this process.

    With ``keep_stdout`` its standard output is a pipe. Call this from the main thread: on Linux the child dies with
    the thread that started it.
    """
    wrapper = [sys.executable, "-m", "monitors.parent_death", str(os.getpid())]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*wrapper, sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if keep_stdout else output,
            stderr=output,
            text=True,
            env=offline(),
            start_new_session=True,
        )


def last_words(log: Path) -> str:
    """Return the end of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-_LAST_WORDS:].strip() if log.exists() else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopped:
    """How a daemon ended after SIGTERM."""

    seconds: float
    exit_status: int
    killed: bool


class DaemonProcess:
    """``retuned run`` as its own process."""

    def __init__(self, config: Path, log: Path, http: HttpSection) -> None:
        self.log = log
        self._config = config
        self._http = http
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Launch the process."""
        self._process = spawn(["-m", "daemon", "run", "--config", str(self._config)], self.log)

    def check(self) -> None:
        """Raise DaemonEnded, with the end of its log, if the process has ended."""
        status = self._started().poll()
        if status is not None:
            raise DaemonEnded(
                f"the daemon ended by itself with status {status}; its log {self.log} ends:\n{last_words(self.log)}"
            )

    def ready(self) -> bool:
        """Return whether the daemon reports itself ready. Raises DaemonEnded."""
        self.check()
        return probe(self._http).ready

    def stop(self) -> Stopped:
        """Stop the process with SIGTERM, as an init system does, and time it."""
        process, started, killed = self._started(), time.monotonic(), False
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_KILL_AFTER_S)
            except subprocess.TimeoutExpired:
                killed = True
                process.kill()
        status = process.wait()
        return Stopped(seconds=time.monotonic() - started, exit_status=status, killed=killed)

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the daemon has not been started")
        return self._process
