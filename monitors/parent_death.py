"""Runs a command that ends when its parent does: ``python -m monitors.parent_death PARENT_PID COMMAND...``.

A program that is killed can't stop its children, so the kernel does. Outside Linux, which alone has this,
the command just runs.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the command. Its pid is the one that the parent started."""
    parent, command = int(arguments[0]), arguments[1:]
    end_with_parent(parent)
    os.execv(command[0], command)  # noqa: S606


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; exit now if the parent is already dead. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before prctl was called
            sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
