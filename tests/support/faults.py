"""Lets a fault strike at a step of the program: the events that `sys.audit("retuned.step", ...)` raises."""

import ast
import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["killed", "EIO", "ENOSPC"]
KILLED = 9
_ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Fault:
    """Strikes once, at the first passage of its step."""

    step: str
    moment: str  # before or after
    kind: Kind
    struck: bool = False

    def strike(self) -> None:
        self.struck = True
        if self.kind == "killed":
            os._exit(KILLED)  # as if by kill -9: no handler runs, nothing is flushed
        raise OSError(getattr(errno, self.kind), f"{self.kind} {self.moment} {self.step}")


class _Watch:
    """The one audit hook of this process: a hook can't be taken away again."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.passed: list[tuple[str, str]] | None = None
        self.note: Callable[[], None] | None = None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event != "retuned.step":
            return
        step, moment = str(arguments[0]), str(arguments[1])
        if self.passed is not None:
            self.passed.append((step, moment))
        if self.note is not None and moment == "after":
            self.note()
        fault = self.fault
        if fault is not None and not fault.struck and (fault.step, fault.moment) == (step, moment):
            fault.strike()


_watch: _Watch | None = None


@contextmanager
def watched(
    fault: Fault | None = None, *, note: Callable[[], None] | None = None
) -> Iterator[list[tuple[str, str]]]:
    """Let a fault strike meanwhile; gives the steps that were passed. ``note`` is called after each."""
    global _watch
    _watch = _watch or _Watch()
    passed: list[tuple[str, str]] = []
    _watch.fault, _watch.passed, _watch.note = fault, passed, note
    try:
        yield passed
    finally:
        _watch.fault, _watch.passed, _watch.note = None, None, None


def steps_of_the_program() -> set[str]:
    """Every step that the source names, so that a new one can't be forgotten."""
    found = set()
    for package in ("daemon", "learners", "registry"):
        for path in (_ROOT / package).rglob("*.py"):
            found |= set(_steps(ast.parse(path.read_text("utf-8"))))
    return found


def _steps(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        texts = [
            word.value for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str)
        ]
        if name in ("write", "_write") and texts:
            yield texts[0]
        elif name == "sys.audit" and len(texts) == 3:
            yield texts[1]
