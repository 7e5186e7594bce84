"""Trains in a child process."""

import logging
from pathlib import Path

from daemon.config.live import LiveSettings
from daemon.training.planned_run import PlannedRun
from learners.training.process import WORKER_LOG, TrainingProcess
from learners.types import Event, TrainRequest

_log = logging.getLogger(__name__)


class ProcessTraining:
    """A training in a child process. Keeps the protocol TrainerChild."""

    def __init__(self, request: TrainRequest, folder: Path) -> None:
        self._process = TrainingProcess(request, folder)

    def start(self) -> None:
        """Start the process. Call once."""
        self._process.start()

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid

    @property
    def job(self) -> None:
        """A process is no Job."""
        return

    def poll(self) -> list[Event]:
        """Return the events since the last call, without waiting."""
        return self._process.poll()

    def stop(self, timeout_s: float) -> None:
        """End the process, by force after ``timeout_s``. Its checkpoint stays."""
        self._process.stop(timeout_s)

    def abandon(self, timeout_s: float) -> None:
        """End the process, by force after ``timeout_s``. Its checkpoint stays."""
        self._process.stop(timeout_s)


class ProcessTrainer:
    """Trains in child processes. Keeps the protocol Trainer."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings

    @property
    def timeout_s(self) -> float:
        """Seconds after which a run is ended, as the settings are now."""
        return self._settings.current.learning.timeout_s

    def clean_up(self, run: str | None) -> None:
        """Do nothing: child processes end with their daemon."""

    def discard(self, run: str) -> None:
        """Do nothing: retention deletes the folders of runs."""

    def launch(self, planned: PlannedRun, folder: Path) -> ProcessTraining:
        """Begin a run, or continue it from its checkpoint."""
        training = ProcessTraining(planned.request, folder)
        training.start()
        extra = {"action": "train", "run": planned.request.run}
        _log.info("the trainer of run %s logs into %s", planned.request.run, folder / WORKER_LOG, extra=extra)
        return training

    def can_continue(self, planned: PlannedRun, folder: Path) -> bool:
        """Return whether the run's files are here, and not on another replica."""
        data = planned.request.data
        return data.parent == folder and data.exists()

    def close(self, timeout_s: float) -> None:
        """Do nothing: nothing goes on beside the child."""
