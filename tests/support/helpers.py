"""What tests of any kind need: waiting for a condition, and servers that may not be there."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

T = TypeVar("T")


def eventually(condition: Callable[[], T], deadline_s: float = 5.0) -> T:
    """Wait until the condition holds and return what it gave; fail the test past the deadline.

    This is the only place where a test sleeps.
    """
    end = time.monotonic() + deadline_s
    while not (outcome := condition()):
        if time.monotonic() > end:
            pytest.fail(f"still not so after {deadline_s} s: {condition}")
        time.sleep(0.01)
    return outcome


def missing(what: str, remedy: str) -> NoReturn:
    """Skip a test on a laptop without some server or tool; fail it in CI, where all must be there."""
    reason = f"{what} is missing; {remedy}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def required_program(name: str, remedy: str) -> Path:
    """The path of a program that the test runs, or ``missing``."""
    found = shutil.which(name)
    return Path(found) if found else missing(name, remedy)
