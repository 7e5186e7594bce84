"""Notes how long each phase of a training took, wherever it runs."""

from datetime import datetime
from pathlib import Path

from daemon.domain.child_work import ChildWork, ChildWorkLog
from daemon.domain.clock import Clock
from daemon.domain.spans import Attribute
from daemon.domain.training_job import JobStatus
from daemon.training.planned_run import PlannedRun
from daemon.training.protocols import Trainer, TrainerChild
from learners.types import Event, Progress


class TracedTrainer:
    """A trainer whose trainings are noted. Keeps the protocol Trainer."""

    def __init__(self, trainer: Trainer, works: ChildWorkLog, *, clock: Clock) -> None:
        self._trainer = trainer
        self._works = works
        self._clock = clock

    @property
    def timeout_s(self) -> float:
        """Seconds after which a run is ended."""
        return self._trainer.timeout_s

    def clean_up(self, run: str | None) -> None:
        """Delete what an earlier daemon left behind that is not of ``run``."""
        self._trainer.clean_up(run)

    def discard(self, run: str) -> None:
        """Delete what was kept for a run that has ended."""
        self._trainer.discard(run)

    def launch(self, planned: PlannedRun, folder: Path) -> "TracedTraining":
        """Begin a run, or continue it."""
        child = self._trainer.launch(planned, folder)
        return TracedTraining(child, planned.request.run, self._works, clock=self._clock)

    def can_continue(self, planned: PlannedRun, folder: Path) -> bool:
        """Return whether a run that was cut short can continue from here."""
        return self._trainer.can_continue(planned, folder)

    def close(self, timeout_s: float) -> None:
        """End what goes on beside the children."""
        self._trainer.close(timeout_s)


class TracedTraining:
    """A training that notes its phases as its events tell them. Keeps the protocol TrainerChild."""

    def __init__(self, child: TrainerChild, run: str, works: ChildWorkLog, *, clock: Clock) -> None:
        self._child = child
        self._run = run
        self._works = works
        self._clock = clock
        self._phase, self._since = "starting", clock()
        self._step = 0

    @property
    def pid(self) -> int | None:
        """The process id while it runs on this machine."""
        return self._child.pid

    @property
    def job(self) -> JobStatus | None:
        """What became of its Job; None for a process."""
        return self._child.job

    def poll(self) -> list[Event]:
        """Return the events since the last call, and note the phases that have ended."""
        events = self._child.poll()
        now = self._clock()
        for event in events:
            if not isinstance(event, Progress):
                self._end(now)
            elif event.phase != self._phase:
                self._end(now)
                self._phase, self._since = event.phase, now
            if isinstance(event, Progress):
                self._step = event.step
        return events

    def stop(self, timeout_s: float) -> None:
        """Leave the training."""
        self._child.stop(timeout_s)
        self._end(self._clock())

    def abandon(self, timeout_s: float) -> None:
        """End the training."""
        self._child.abandon(timeout_s)
        self._end(self._clock())

    def _end(self, now: datetime) -> None:
        """Note the phase that goes on, if one does."""
        if not self._phase:
            return
        attributes: dict[str, Attribute] = {"run": self._run, "step": self._step}
        name, self._phase = f"trainer {self._phase}", ""
        self._works.add(
            ChildWork(name=name, start=self._since, end=now, run=self._run, attributes=attributes)
        )
