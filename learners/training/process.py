"""The client of the trainer child. Imports no torch."""

import queue
from pathlib import Path

from learners.children.subprocess_child import SubprocessChild
from learners.codec import event_from_json, request_to_json
from learners.errors import ChildDied
from learners.types import Event, Failure, Progress, TrainRequest

#: What the child writes on stderr, in the folder of the run.
WORKER_LOG = "worker.log"


class TrainingProcess:
    """Runs one request in a child process. Its last event is always a RunResult or a Failure."""

    def __init__(self, request: TrainRequest, work_dir: Path) -> None:
        self._request = request
        self._work_dir = work_dir
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._child: SubprocessChild | None = None
        self._answered = False

    def start(self) -> None:
        """Start the child, which loads its libraries for some seconds. Call once."""
        self._work_dir.mkdir(parents=True, exist_ok=True)
        file = self._work_dir / "request.json"
        file.write_text(request_to_json(self._request), encoding="utf-8")
        self._child = SubprocessChild(
            "learners.training.train_worker",
            [str(file), "--stop-with-stdin"],
            log=(self._work_dir / WORKER_LOG).open("w+b"),
            on_line=self._handle_line,
            on_end=self._handle_end,
        )

    def poll(self) -> list[Event]:
        """Return the events since the last call. Never waits."""
        events = []
        while True:
            try:
                events.append(self._events.get_nowait())
            except queue.Empty:
                return events

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def cancel(self) -> None:
        """Ask the child to stop; a Failure named Cancelled follows within about a second of training."""
        if self._child is not None:
            self._child.terminate()

    def stop(self, timeout_s: float) -> None:
        """End the child, by force after ``timeout_s``. Its checkpoint stays, so the same request can resume."""
        if self._child is not None:
            self._child.stop(timeout_s)

    def _handle_line(self, line: str) -> None:
        try:
            event = event_from_json(line)
        except ValueError:
            return  # the child's stdout is its own, yet what a library writes there must not end the run
        self._answered = not isinstance(event, Progress)
        self._events.put(event)

    def _handle_end(self, error: ChildDied) -> None:
        if not self._answered:
            self._events.put(
                Failure(error=type(error).__name__, message=str(error), permanent=error.permanent)
            )
