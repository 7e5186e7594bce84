"""Names a process so that others can tell whether it is still there."""

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
    """Who holds a lease."""

    host: str
    machine: str  # its boot and process namespace: only there does a process number mean anything
    pid: int
    started: float  # a process number may be given again

    @classmethod
    def this_process(cls) -> Self:
        """Return this process's name."""
        pid = os.getpid()
        return cls(
            host=socket.gethostname(), machine=_machine(), pid=pid, started=psutil.Process(pid).create_time()
        )

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what ``str`` gave."""
        return cls(**json.loads(text))

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    @property
    def gone(self) -> bool:
        """Whether it has verifiably ended: False where that can't be seen from here."""
        if not self.machine or self.machine != _machine():
            return False
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.started) > 1 or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True


def _machine() -> str:
    """Return the boot and the namespace that this process's number belongs to; "" where nobody tells."""
    try:
        return f"{_BOOT.read_text().strip()} {_NAMESPACE.readlink()}"
    except OSError:
        return ""
