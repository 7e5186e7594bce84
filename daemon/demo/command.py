"""Runs `retuned` commands as an operator would."""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from daemon.demo.children import last_words, spawn
from daemon.demo.errors import OutOfTime, StartFailed

_TIMEOUT_S = 60.0
_EVERY_S = 0.1


def command_text(arguments: Sequence[str]) -> str:
    """Return a command as one would type it."""
    return shlex.join(["retuned", *arguments])


def run_command(arguments: Sequence[str], *, config: Path, log: Path) -> None:
    """Run ``retuned ARGUMENTS`` to its end. Raises StartFailed where it failed, OutOfTime."""
    child = spawn(["-m", "daemon", *arguments, "--config", str(config)], log)
    deadline = time.monotonic() + _TIMEOUT_S
    try:
        while child.poll() is None:
            if time.monotonic() > deadline:
                raise OutOfTime(f"`{command_text(arguments)}` took longer than {_TIMEOUT_S:.0f} s; see {log}")
            time.sleep(_EVERY_S)
    finally:
        child.terminate()
        child.wait()
    if child.returncode != 0:
        raise StartFailed(f"`{command_text(arguments)}` failed: {last_words(log)}")
