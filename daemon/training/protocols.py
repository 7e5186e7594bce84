"""What the training stage needs from a planner and from a training process."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

from daemon.training.planned_run import PlannedRun
from learners.types import Event

#: Raises CancelledError once the work at hand is not wanted any more.
Check: TypeAlias = Callable[[], None]


class Planner(Protocol):
    """Plans a run. Raises NotEnoughData, RegistryError, OSError, and what ``check`` raises.

    ``check`` is called every few milliseconds, and before the training file is written.
    """

    def __call__(self, run_id: str, *, since_seq: int, folder: Path, check: Check) -> PlannedRun: ...


class TrainerChild(Protocol):
    """A training in a child process."""

    @property
    def pid(self) -> int | None: ...

    def poll(self) -> list[Event]:
        """Return the events since the last call, without waiting. The last event is a RunResult or a Failure."""
        ...

    def stop(self, timeout_s: float) -> None:
        """End the child, by force after ``timeout_s``."""
        ...
