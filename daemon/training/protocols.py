"""What the training stage needs from a planner, and from whoever trains."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

from daemon.domain.training_job import JobStatus
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
    """A training elsewhere: in a child process, or on a cluster."""

    @property
    def pid(self) -> int | None:
        """The process id while it runs on this machine."""
        ...

    @property
    def job(self) -> JobStatus | None:
        """What became of its Job; None for a process."""
        ...

    def poll(self) -> list[Event]:
        """Return the events since the last call, without waiting. The last event is a RunResult or a Failure."""
        ...

    def stop(self, timeout_s: float) -> None:
        """Leave the training, as the daemon ends: the same request continues it. A process ends, by force after ``timeout_s``."""
        ...

    def abandon(self, timeout_s: float) -> None:
        """End the training, so that it holds no resources. A process ends, by force after ``timeout_s``; a Job is deleted."""
        ...


class Trainer(Protocol):
    """Trains, one run at a time."""

    @property
    def timeout_s(self) -> float:
        """Seconds after which a run is ended."""
        ...

    def clean_up(self, run: str | None) -> None:
        """Delete what an earlier daemon left behind that is not of ``run``, the run that has not ended. Does not wait."""
        ...

    def discard(self, run: str) -> None:
        """Delete what was kept for a run that has ended. Does not wait."""
        ...

    def launch(self, planned: PlannedRun, folder: Path) -> TrainerChild:
        """Begin a run, or continue it. Its training file is in ``folder``, and so will be its artifact."""
        ...

    def can_continue(self, planned: PlannedRun, folder: Path) -> bool:
        """Return whether a run that was cut short can continue from here."""
        ...

    def close(self, timeout_s: float) -> None:
        """End what goes on beside the children, within about ``timeout_s``."""
        ...
