"""The run in progress."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from daemon.domain.log_once import LogOnce
from daemon.domain.runs import Run, RunState
from daemon.domain.training_job import JobStatus
from daemon.jobs.errors import NoJobData
from daemon.training.planned_run import PlannedRun
from daemon.training.protocols import TrainerChild
from learners.types import Failure, Progress, RunResult
from registry.errors import RegistryError
from registry.names import VersionName

_log = logging.getLogger(__name__)
_STOP_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEnd:
    """How a run ended."""

    state: RunState
    result: RunResult | None = None  # of a finished run
    error: str | None = None  # of any other
    plan_again: bool = False  # its data is gone: its decision leads to a new run


class CurrentRun:
    """Follows a training child until its result is registered or the run has failed."""

    def __init__(
        self,
        run: Run,
        planned: PlannedRun,
        child: TrainerChild,
        *,
        register: Callable[[PlannedRun, RunResult], object],
        launched_at: datetime,
        timeout: timedelta,
    ) -> None:
        """``register`` adds the result to the registry. Raises RegistryError, and OSError where it may be tried again."""
        self.run = run
        self.progress: Progress | None = None  # the newest of the last call of ``follow``
        self._planned = planned
        self._child = child
        self._register = register
        self._launched_at = launched_at
        self._timeout = timeout
        self._newest: Progress | None = None
        self._noted: JobStatus | None = None
        self._result: RunResult | None = None  # finished, not registered yet
        self._registering = LogOnce(
            f"registering run {run.id}", _log, extra={"action": "train", "run": run.id}
        )

    @property
    def parent(self) -> VersionName | None:
        """The version that the run continues from; None for the bare base."""
        return VersionName.parse(self._planned.parent) if self._planned.parent else None

    @property
    def ends_by(self) -> datetime:
        """When the child is stopped."""
        return self._launched_at + self._timeout

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid

    def follow(self, now: datetime) -> RunEnd | None:
        """Take in what the child reported since the last call; return how the run ended, None while it continues."""
        self.progress = None
        for event in self._child.poll():
            if isinstance(event, Progress):
                self.progress = event
            elif isinstance(event, RunResult):
                self._result = event
            else:
                return _failed(event)
        if self._result is not None:
            return self._register_result(self._result)
        return self._stop_if_overdue(now)

    @property
    def job(self) -> JobStatus | None:
        """The Job that trains; None for a process."""
        return self._child.job

    def new_progress(self) -> dict[str, Any] | None:
        """Return the progress as the ledger keeps it; None if nothing is new since the last call."""
        job = self._child.job
        if self.progress is None and job == self._noted:
            return None
        self._noted = job
        self._newest = self.progress or self._newest
        progress = asdict(self._newest) if self._newest else {}
        return progress if job is None else {**progress, "job": job.to_json()}

    def stop(self, timeout_s: float) -> None:
        """Leave the child; its checkpoint stays."""
        self._child.stop(timeout_s)

    def cancel(self, reason: str) -> RunEnd:
        """End the child and leave its result, if it has one, unregistered."""
        self._child.abandon(_STOP_S)
        return RunEnd(state=RunState.CANCELLED, error=reason)

    def suspend(self) -> RunEnd | None:
        """End the child; its checkpoint stays. Return how the run ended if the child had just finished."""
        self._child.abandon(_STOP_S)
        finished = [event for event in self._child.poll() if isinstance(event, RunResult)]
        self._result = finished[0] if finished else self._result
        return None if self._result is None else self._register_result(self._result)

    def _register_result(self, result: RunResult) -> RunEnd | None:
        """Register the result; None while the artifact store does not answer, which the next call tries again."""
        try:
            self._register(self._planned, result)
        except OSError as error:
            self._registering.failed(error)
            return None
        except RegistryError as error:
            return RunEnd(state=RunState.FAILED, error=f"{type(error).__name__}: {error}")
        self._registering.recovered()
        return RunEnd(state=RunState.FINISHED, result=result)

    def _stop_if_overdue(self, now: datetime) -> RunEnd | None:
        if now <= self.ends_by:
            return None
        self._child.abandon(_STOP_S)
        remedy = "raise learning.timeout_s or lower policy.max_new_conversations"
        return RunEnd(state=RunState.FAILED, error=f"took longer than {self._timeout}; {remedy}")


def _failed(failure: Failure) -> RunEnd:
    state = RunState.CANCELLED if failure.error == "Cancelled" else RunState.FAILED
    lost = failure.error == NoJobData.__name__
    return RunEnd(state=state, error=f"{failure.error}: {failure.message}", plan_again=lost)
