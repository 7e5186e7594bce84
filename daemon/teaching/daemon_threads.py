"""Runs calls in threads that never keep the process from ending."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

from daemon.telemetry.log_context import carried

P = ParamSpec("P")
T = TypeVar("T")


class DaemonThreads(Executor):
    """One thread a call. The caller limits how many go on at a time.

    The threads of other executors are waited for when the process ends, however long the other side hangs.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def submit(self, work: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> Future[T]:
        """Start the work; the future has its result or its error."""
        promised: Future[T] = Future()

        def run() -> None:
            try:
                promised.set_result(work(*args, **options))
            except BaseException as error:  # noqa: BLE001 - whoever takes the result gets it
                promised.set_exception(error)

        threading.Thread(target=carried(run), name=self._name, daemon=True).start()
        return promised
