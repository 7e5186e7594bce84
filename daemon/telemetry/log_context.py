"""What log records are about, kept for each thread: the model line, and the run or version in hand."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: The fields of a record that say what it is about, beside what it does (``action``).
IDENTITY = ("action", "model_line", "run", "version")

_identity: ContextVar[Mapping[str, str]] = ContextVar("retuned_log_identity", default={})  # noqa: B039 - never changed


@contextmanager
def log_identity(**identity: str) -> Iterator[None]:
    """Have this thread's records, those of libraries too, say what they are about; what a record says itself goes first."""
    before = _identity.set({**_identity.get(), **identity})
    try:
        yield
    finally:
        _identity.reset(before)


def carried(work: Callable[P, T]) -> Callable[P, T]:
    """Return the same work for another thread, whose records are about what this thread's are about."""
    return partial(copy_context().run, work)


def inherit_identity() -> Callable[[], None]:
    """Return what makes a thread's records be about what this one's are about: the initializer of an executor's threads."""
    return partial(_set, _identity.get())


def _set(identity: Mapping[str, str]) -> None:
    _identity.set(identity)


class IdentityFilter(logging.Filter):
    """Adds to each record what the thread is about. It refuses none."""

    def __init__(self, default: Mapping[str, str]) -> None:
        """``default`` is for threads that say nothing."""
        super().__init__()
        self._default = default

    def filter(self, record: logging.LogRecord) -> bool:
        """Add what the record does not say itself."""
        for name, value in {**self._default, **_identity.get()}.items():
            if getattr(record, name, None) is None:
                setattr(record, name, value)
        return True
