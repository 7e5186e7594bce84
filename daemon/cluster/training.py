"""A training on the cluster, followed in a thread of its own."""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from daemon.cluster.errors import ClusterUnreachable
from daemon.cluster.lifecycle import JobLifecycle
from daemon.domain.backoff import Backoff
from daemon.domain.errors import DaemonError
from daemon.domain.training_job import JobStatus
from daemon.telemetry.log_context import carried
from learners.types import Event, Failure, Progress
from registry.errors import RegistryError

_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 30.0


class KubernetesTraining:
    """Keeps the protocol TrainerChild. No method waits for the network, but for those with a time-out."""

    def __init__(self, lifecycle: JobLifecycle, *, clock: Callable[[], float]) -> None:
        """``clock`` counts seconds."""
        self._lifecycle = lifecycle
        self._clock = clock
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._leaves = False  # the Job goes on
        self._abandons = False
        self._ended = False  # its last event is reported
        self._thread: threading.Thread | None = None

    def start(self, *, after: "KubernetesTraining | None" = None) -> None:
        """Begin; where ``after`` still deletes its Job, once it has."""
        self._thread = threading.Thread(
            target=carried(self._run),
            args=(after,),
            name=f"retuned-job-{self._lifecycle.status.name}",
            daemon=True,
        )
        self._thread.start()

    @property
    def pid(self) -> None:
        """No process of this machine."""
        return

    @property
    def job(self) -> JobStatus:
        """The state of the Job."""
        return self._lifecycle.status

    @property
    def running(self) -> bool:
        """Whether its thread runs: it may still delete the Job of a training that was abandoned."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def abandoned(self) -> bool:
        """Whether the Job is to be deleted."""
        return self._abandons

    def poll(self) -> list[Event]:
        """Return the events since the last call, without waiting. The last event is a RunResult or a Failure."""
        alive = self.running
        events: list[Event] = []
        with suppress(queue.Empty):
            while True:
                events.append(self._events.get_nowait())
        if not (alive or events or self._ended or self._leaves or self._abandons):
            self._ended = True
            message = "the thread that follows the Job ended unexpectedly; the daemon's log has the error"
            events.append(Failure(error="ChildDied", message=message, permanent=False))
        return events

    def stop(self, timeout_s: float) -> None:
        """Leave the Job: it goes on, and the same request finds it again. Wait at most ``timeout_s`` for the thread."""
        self._leaves = True
        self._wake.set()
        self.join(timeout_s)

    def abandon(self, timeout_s: float) -> None:
        """Have the Job and its pods deleted, for as long as it takes; ``timeout_s`` is not waited for."""
        del timeout_s
        self._abandons = True
        self._wake.set()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for the end of the thread."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, after: "KubernetesTraining | None") -> None:
        while after is not None and after.running and not self._leaves:
            after.join(_FIRST_RETRY_S)
        try:
            self._follow()
            if not self._leaves and (self._abandons or self._lifecycle.may_go_on):
                self._delete()
        finally:
            self._lifecycle.close()

    def _follow(self) -> None:
        """Make steps until the training has ended, or is not wanted any more."""
        backoff = Backoff(_FIRST_RETRY_S, _LONGEST_RETRY_S)
        while not (self._ended or self._leaves or self._abandons):
            try:
                events = self._lifecycle.step()
            except (ClusterUnreachable, OSError) as error:
                self._lifecycle.unreachable(error)
                self._wake.wait(backoff.fail(self._clock()))
                continue
            backoff.reset()
            self._report(events)
            if not self._ended:
                self._wake.wait(self._lifecycle.pause_s)

    def _delete(self) -> None:
        """Delete the Job, whatever stands in the way. A result that it has is reported, unless it has ended otherwise."""
        backoff = Backoff(_FIRST_RETRY_S, _LONGEST_RETRY_S)
        while not self._leaves:
            self._wake.clear()
            try:
                events = self._lifecycle.abandon()
            except (DaemonError, RegistryError, OSError) as error:
                self._lifecycle.unreachable(error)
                self._wake.wait(backoff.fail(self._clock()))
            else:
                self._report([] if self._ended else events)
                return

    def _report(self, events: list[Event]) -> None:
        for event in events:
            self._ended = self._ended or not isinstance(event, Progress)
            self._events.put(event)
