"""Executors without threads, for tests of stages that work beside the loop."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class InPlace(Executor):
    """Works at once, in the caller's thread."""

    def submit(self, work: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> Future[T]:
        promised: Future[T] = Future()
        _keep(promised, lambda: work(*args, **options))
        return promised


class OnDemand(InPlace):
    """Works when it is told to."""

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []

    def submit(self, work: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> Future[T]:
        promised: Future[T] = Future()
        self._waiting.append(lambda: _keep(promised, lambda: work(*args, **options)))
        return promised

    def work(self) -> None:
        while self._waiting:
            self._waiting.pop(0)()


def _keep(promised: Future[T], work: Callable[[], T]) -> None:
    try:
        promised.set_result(work())
    except Exception as error:  # noqa: BLE001 - whoever takes the result gets it
        promised.set_exception(error)
