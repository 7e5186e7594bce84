"""Identifies a process, so that others can tell whether it still runs."""

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psutil

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessIdentity:
    """One process on one machine."""

    host: str
    machine: str  # its boot and process namespace, which the process id is valid in
    pid: int
    started: float  # start time: process ids are reused

    @classmethod
    def this_process(cls) -> Self:
        """Return the identity of this process."""
        pid = os.getpid()
        return cls(
            host=socket.gethostname(), machine=_machine(), pid=pid, started=psutil.Process(pid).create_time()
        )

    @classmethod
    def read(cls, text: str) -> Self:
        """Parse the output of ``str``."""
        return cls(**json.loads(text))

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    @property
    def gone(self) -> bool:
        """Whether the process has verifiably ended. False if that can't be seen from this machine."""
        if not self.machine or self.machine != _machine():
            return False
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.started) > 1 or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    @property
    def seen_alive(self) -> bool:
        """Whether the process can be seen to run on this machine."""
        return bool(self.machine) and self.machine == _machine() and not self.gone


def _machine() -> str:
    """Return this machine's boot id and process namespace; "" if they are unknown."""
    try:
        return f"{_BOOT.read_text().strip()} {_NAMESPACE.readlink()}"
    except OSError:
        return ""
