"""Keeps a child process running: starts it, and starts it again after a pause when it dies."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from daemon.domain.backoff import Backoff
from daemon.domain.clock import Clock

#: Seconds that a child which is replaced gets to end.
_STOP_S = 1.0


class Child(Protocol):
    """A running child process."""

    @property
    def alive(self) -> bool: ...

    @property
    def pid(self) -> int | None: ...

    def stop(self, timeout_s: float) -> None:
        """End the process, by force after ``timeout_s``."""
        ...


CallsT_co = TypeVar("CallsT_co", covariant=True)


class ServingChild(Child, Protocol[CallsT_co]):
    """A running child process that answers calls."""

    @property
    def calls(self) -> CallsT_co: ...


ChildT = TypeVar("ChildT", bound=Child)


class SupervisedChild(Generic[ChildT]):
    """One child process that is replaced when it dies.

    ``supervise`` never waits: call it at every step. One call notices the death; a later one, after the pause that
    ``backoff`` sets, starts the next child. The owner resets ``backoff`` when the child has proved itself.
    """

    def __init__(
        self,
        launch: Callable[[], ChildT],
        *,
        on_death: Callable[[float], None],
        on_restart: Callable[[], None],
        backoff: Backoff,
        clock: Clock,
    ) -> None:
        """``launch`` starts a child. ``on_death`` gets the seconds until the next one; ``on_restart`` precedes it."""
        self._launch = launch
        self._on_death = on_death
        self._on_restart = on_restart
        self._backoff = backoff
        self._clock = clock
        self._child: ChildT | None = None
        self._death_noticed = False
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid if self._child else None

    @property
    def child(self) -> ChildT:
        """The newest child, which may be dead. Raises RuntimeError before ``start``."""
        if self._child is None:
            raise RuntimeError("the child is used before start()")
        return self._child

    def start(self) -> None:
        """Start the first child."""
        self._child = self._launch()

    def supervise(self) -> None:
        """Notice that the child died, or replace one whose pause is over."""
        if self._child is None or self._closed or self._child.alive:
            return
        now = self._clock().timestamp()
        if not self._death_noticed:
            self._death_noticed = True
            self._on_death(self._backoff.fail(now))
        elif self._backoff.ready(now):
            self._death_noticed = False
            self._on_restart()
            self._child.stop(_STOP_S)
            self._child = self._launch()

    def discard(self) -> None:
        """End a child that can't be trusted any more; ``supervise`` replaces it like one that died."""
        if self._child is not None:
            self._child.stop(_STOP_S)

    def close(self, timeout_s: float) -> None:
        """End the child for good, by force after ``timeout_s``."""
        self._closed = True
        if self._child is not None:
            self._child.stop(timeout_s)
