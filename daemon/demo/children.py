"""Starts the demo's child processes: the daemon, and one-off commands. None outlives the demo."""

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
    """Return the environment for children: no settings of another daemon, and nothing is downloaded."""
    kept = {name: value for name, value in environ.items() if not name.startswith("RETUNED_")}
    return kept | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def spawn(arguments: Sequence[str], log: Path, *, keep_stdout: bool = False) -> subprocess.Popen[str]:
    """Start ``python ARGUMENTS`` in a session of its own, writing to ``log``; it ends when this process does.

    With ``keep_stdout`` its standard output is a pipe. Start it from the main thread: on Linux a child is tied to
    the thread that started it.
    """
    tether = [sys.executable, "-m", "monitors.parent_death", str(os.getpid())]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*tether, sys.executable, *arguments],
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
        self._http = http
        self._process = spawn(["-m", "daemon", "run", "--config", str(config)], log)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def check(self) -> None:
        """Raise DaemonEnded, with its last words, where it runs no more."""
        if not self.alive:
            status = self._process.returncode
            raise DaemonEnded(
                f"the daemon ended by itself with status {status}; its log {self.log} ends:\n{last_words(self.log)}"
            )

    def ready(self) -> bool:
        """Whether it says that all of its parts work. Raises DaemonEnded."""
        self.check()
        return probe(self._http).ready

    def stop(self) -> Stopped:
        """Ask it to stop, as an init system does, and see how long it takes."""
        started = time.monotonic()
        killed = False
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_KILL_AFTER_S)
            except subprocess.TimeoutExpired:
                killed = True
                self._process.kill()
        status = self._process.wait()
        return Stopped(seconds=time.monotonic() - started, exit_status=status, killed=killed)
