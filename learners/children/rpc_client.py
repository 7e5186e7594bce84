"""Calls a child process: sends requests as JSON lines and resolves a future per answer. Imports no torch."""

import itertools
import json
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from learners.children.child_log import open_child_log
from learners.children.subprocess_child import SubprocessChild
from learners.errors import ChildDied, LearnerError, error_named

OnProgress = Callable[[int, int], None]  # done, of how many
CallsT = TypeVar("CallsT")


class Ask(Protocol):
    """Sends a request to the child. ``read`` makes the future's value of the JSON result."""

    def __call__(
        self, read: Callable[[Any], object], *, on_progress: OnProgress | None = None, **request: object
    ) -> Future[Any]: ...


@dataclass(frozen=True, slots=True)
class _Pending:
    future: Future[Any]  # of whatever ``read`` gives
    read: Callable[[Any], object]  # the JSON result -> the value
    on_progress: OnProgress | None


class RpcClient(Generic[CallsT]):
    """A child ``python -m MODULE ARGUMENTS`` and, as ``calls``, what it can be asked.

    Calls wait until the child is ready. After its death every call fails with the reason.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        calls: Callable[[Ask], CallsT],
        *,
        log: Path | None = None,
    ) -> None:
        """``calls`` makes the typed calls, which send their requests with the function that it gets.

        ``log`` is the file for what the child writes on stderr; see ``open_child_log``.
        """
        self.calls = calls(self._ask)
        self._module = module
        self._arguments = arguments
        self._log = log
        self._ids = itertools.count(1)
        self._lock = threading.Lock()  # over the three below
        self._pending: dict[int, _Pending] = {}
        self._death: LearnerError | None = None
        self._reason: LearnerError | None = None  # why the child says it ends
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._child: SubprocessChild | None = None
        self._writer = threading.Thread(target=self._write, name=f"{module}-writer", daemon=True)

    def start(self) -> None:
        """Start the child, which loads its model for some seconds. Call once."""
        self._child = SubprocessChild(
            self._module,
            self._arguments,
            log=open_child_log(self._log),  # closed by the child's reader
            on_line=self._handle_line,
            on_end=self._handle_end,
        )
        self._writer.start()

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def stop(self, timeout_s: float) -> None:
        """End the child, by force after ``timeout_s``; unanswered calls fail with ChildDied."""
        if self._child is None:
            return
        self._outbox.put(None)
        self._child.stop(timeout_s)
        self._writer.join()

    def _ask(
        self, read: Callable[[Any], object], *, on_progress: OnProgress | None = None, **request: object
    ) -> Future[Any]:
        """Send a request. The reader thread resolves the future."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # what was sent can't be taken back
        id_ = next(self._ids)
        line = json.dumps({"id": id_, **request}).encode() + b"\n"
        with self._lock:
            if self._death is None:
                self._pending[id_] = _Pending(future, read, on_progress)
                self._outbox.put(line)
                return future
        future.set_exception(self._death)
        return future

    def _write(self) -> None:
        """Write in a thread of its own, as the pipe is full while the child computes."""
        assert self._child is not None  # noqa: S101 (started after it)
        try:
            while (line := self._outbox.get()) is not None:
                self._child.stdin.write(line)
                self._child.stdin.flush()
        except (BrokenPipeError, ValueError):
            return  # dead or closed: the reader tells those who wait

    def _handle_line(self, line: str) -> None:
        answer = json.loads(line)
        if "id" not in answer:
            self._reason = error_named(answer["error"], answer["message"])
            return
        if "of" in answer:
            pending = self._pending.get(answer["id"])
            if pending is not None and pending.on_progress is not None:
                pending.on_progress(answer["done"], answer["of"])
            return
        with self._lock:
            pending = self._pending.pop(answer["id"])
        if "error" in answer:
            pending.future.set_exception(error_named(answer["error"], answer["message"]))
        else:
            pending.future.set_result(pending.read(answer["result"]))

    def _handle_end(self, error: ChildDied) -> None:
        with self._lock:
            self._death = self._reason or error
            waiting = list(self._pending.values())
            self._pending.clear()
        self._outbox.put(None)
        for pending in waiting:
            pending.future.set_exception(self._death)
