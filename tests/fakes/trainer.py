"""A trainer whose children a test makes."""

from collections.abc import Callable
from pathlib import Path

from daemon.training.planned_run import PlannedRun
from daemon.training.process_trainer import ProcessTrainer
from daemon.training.protocols import TrainerChild
from learners.types import TrainRequest


class FakeTrainer(ProcessTrainer):
    """Trains as a process does, but for the process."""

    timeout_s = 3_600.0

    def __init__(self, launch: Callable[[TrainRequest, Path], TrainerChild]) -> None:
        self._launch = launch
        self.cleaned_up_for: list[str | None] = []
        self.discarded: list[str] = []
        self.closed = False

    def clean_up(self, run: str | None) -> None:
        self.cleaned_up_for.append(run)

    def discard(self, run: str) -> None:
        self.discarded.append(run)

    def launch(self, planned: PlannedRun, folder: Path) -> TrainerChild:  # type: ignore[override]
        return self._launch(planned.request, folder)

    def close(self, timeout_s: float) -> None:
        self.closed = True
