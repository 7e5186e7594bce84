"""Tells whether a child outlives a parent that is killed."""

import os
import signal
import subprocess
import sys

import psutil

from tests.support.helpers import eventually


def ends_with_its_parent(code: str, *arguments: str) -> bool:
    """Run a program that prints the pid of a child at rest and waits; kill it, the child standing still.

    A child that stands still notices nothing by itself: only the kernel can end it.
    """
    with subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        os.kill(child.pid, signal.SIGSTOP)
        parent.kill()
    try:
        return eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 20)
    finally:
        if child.is_running():
            child.kill()
