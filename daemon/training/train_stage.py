"""Keeps at most one training going."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from daemon.domain.clock import Clock
from daemon.domain.decisions import Decision
from daemon.domain.errors import ForgottenMeanwhile, NotEnoughData
from daemon.domain.runs import Run, RunState
from daemon.ledger.trainings import TrainingLedger
from daemon.telemetry.metrics import Metrics
from daemon.training.planned_run import PlannedRun, from_json, to_json
from learners.types import Event, Failure, Progress, RunResult, TrainRequest
from registry.errors import RegistryError

_log = logging.getLogger(__name__)


class Planner(Protocol):
    """Puts data, settings and parent of a run together. Raises NotEnoughData, RegistryError, OSError."""

    def __call__(self, run_id: str, *, since_seq: int, folder: Path) -> PlannedRun: ...


class TrainerChild(Protocol):
    """A training that goes on in a process of its own."""

    @property
    def pid(self) -> int | None: ...

    def poll(self) -> list[Event]:
        """Return what it has said since the last call; never waits. The last event is a RunResult or a Failure."""
        ...

    def stop(self, timeout_s: float) -> None:
        """End it, whatever it does."""
        ...


class TrainStage:
    """Starts the training that was decided on, follows it, and hands on what it leaves.

    A decision that arrives meanwhile waits in a single slot, where the newest wins: drift goes on being watched
    during a run, and a queue of stale trainings can never build up behind it. A run that the daemon's end cut
    short goes on from its checkpoint after the next start.
    """

    name = "training"

    def __init__(
        self,
        ledger: TrainingLedger,
        *,
        plan: Planner,
        start: Callable[[TrainRequest, Path], TrainerChild],
        register: Callable[[PlannedRun, RunResult], object],
        runs_dir: Path,
        timeout: timedelta,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._plan = plan
        self._start_child = start
        self._register = register
        self._runs_dir = runs_dir
        self._timeout = timeout
        self._metrics = metrics
        self._clock = clock
        self._slot = ledger.open_decision()
        self._current: tuple[Run, PlannedRun, TrainerChild] | None = None
        self._result: RunResult | None = None  # of the current run, once it is finished
        self._trouble = ""  # why it could not be registered yet, said once
        self._launched_at = clock()
        self._resume()

    @property
    def busy(self) -> str | None:
        """What goes on, for people; None when a training could start at once."""
        if self._current is not None:
            return f"run {self._current[0].id}"
        return None if self._slot is None else "a training that was decided on"

    @property
    def pid(self) -> int | None:
        """The training child's process id while it runs."""
        return self._current[2].pid if self._current else None

    def offer(self, decision: Decision) -> None:
        """Take a decision to train; it replaces one that still waits."""
        if self._slot is not None:
            _log.info(
                "decision %s replaces decision %s", decision.id, self._slot.id, extra={"action": "train"}
            )
        self._slot = decision

    def step(self) -> None:
        """Follow the run that goes on, or start the one that waits."""
        if self._current is not None:
            self._follow(*self._current)
        elif self._slot is not None:
            decision, self._slot = self._slot, None
            self._begin(decision)

    def close(self, timeout_s: float) -> None:
        """Stop the child. Its run stays open in the ledger and goes on after the next start."""
        if self._current is not None:
            self._current[2].stop(timeout_s)

    def _begin(self, decision: Decision) -> None:
        now = self._clock()
        run_id = f"r{self._ledger.next_run_number()}"
        try:
            planned = self._plan(run_id, since_seq=decision.since_seq, folder=self._runs_dir / run_id)
        except (NotEnoughData, RegistryError, OSError) as error:
            _log.warning("no training: %s", error, extra={"action": "train", "run": run_id})
            self._discard(run_id)
            return
        run = Run(
            id=run_id,
            decision_id=decision.id or 0,
            state=RunState.RUNNING,
            request=to_json(planned),
            started_at=now,
            since_seq=decision.since_seq,
            until_seq=planned.until_seq,
        )
        try:
            self._ledger.start_run(run, planned.dataset.records)
        except ForgottenMeanwhile as error:
            _log.warning("%s", error, extra={"action": "train", "run": run_id})
            self._discard(run_id)
            self._slot = self._slot or decision
            return
        self._launch(run, planned)

    def _discard(self, run_id: str) -> None:
        """Leave no copy of conversations that no run in the ledger accounts for: nobody would know to erase it."""
        shutil.rmtree(self._runs_dir / run_id, ignore_errors=True)

    def _resume(self) -> None:
        self._discard(f"r{self._ledger.next_run_number()}")  # planned, and not begun when a daemon was killed
        run = self._ledger.running()
        if run is not None:
            planned = from_json(run.request, records=self._ledger.training_records(run.id))
            if planned.request.data.parent != self._runs_dir / run.id or not planned.request.data.exists():
                self._plan_anew(run, planned)
                return
            _log.info("goes on with run %s", run.id, extra={"action": "train", "run": run.id})
            # One that was finished and not yet written down is made again: the same request, the same artifact.
            shutil.rmtree(planned.request.output, ignore_errors=True)
            self._launch(run, planned)

    def _plan_anew(self, run: Run, planned: PlannedRun) -> None:
        """End a run whose files another replica has, and let its decision lead to another one."""
        self._slot = self._slot or self._ledger.decision(run.decision_id)
        where = planned.request.data.parent
        self._end(
            run, RunState.FAILED, error=f"its folder {where} is another replica's; a new run takes its place"
        )

    def _launch(self, run: Run, planned: PlannedRun) -> None:
        child = self._start_child(planned.request, self._runs_dir / run.id)
        self._current, self._launched_at = (run, planned, child), self._clock()
        _log.info(
            "run %s learns from %s new and %s replayed conversations; left out: %s",
            run.id, planned.dataset.new, planned.dataset.replay, dict(planned.dataset.left_out) or "none",
            extra={"action": "train", "run": run.id},
        )  # fmt: skip

    def _follow(self, run: Run, planned: PlannedRun, child: TrainerChild) -> None:
        events = child.poll()
        if latest := [event for event in events if isinstance(event, Progress)][-1:]:
            self._metrics.training.run_is_at(latest[0])
            self._ledger.note_progress(run.id, asdict(latest[0]))
        for event in events:
            if isinstance(event, RunResult):
                self._result = event
            elif isinstance(event, Failure):
                state = RunState.CANCELLED if event.error == "Cancelled" else RunState.FAILED
                self._end(run, state, error=f"{event.error}: {event.message}")
        if self._result is not None:
            self._keep(run, planned, self._result)
        elif self._current is not None and self._clock() - self._launched_at > self._timeout:
            child.stop(5)
            self._end(
                run,
                RunState.FAILED,
                error=f"took longer than {self._timeout}; raise learning.timeout_s or lower policy.max_new_conversations",
            )

    def _keep(self, run: Run, planned: PlannedRun, result: RunResult) -> None:
        """Register what a run left; where the artifact store does not answer, try again at the next step."""
        try:
            self._register(planned, result)
        except OSError as error:
            if str(error) != self._trouble:
                _log.error(
                    "run %s waits for the artifact store: %s", run.id, error, extra={"action": "train"}
                )
            self._trouble = str(error)
        except RegistryError as error:
            self._end(run, RunState.FAILED, error=f"{type(error).__name__}: {error}")
        else:
            self._end(run, RunState.FINISHED, result=result)

    def _end(
        self, run: Run, state: RunState, *, result: RunResult | None = None, error: str | None = None
    ) -> None:
        now: datetime = self._clock()
        self._ledger.end_run(
            run.id, state, now=now, result=_result_json(result) if result else None, error=error
        )
        self._metrics.training.runs(state).inc()
        self._metrics.training.duration.observe((now - run.started_at).total_seconds())
        self._metrics.training.no_run()
        _log.log(
            logging.INFO if state is RunState.FINISHED else logging.ERROR,
            "run %s %s%s", run.id, state, f": {error}" if error else "",
            extra={"action": "train", "run": run.id},
        )  # fmt: skip
        self._current, self._result, self._trouble = None, None, ""


def _result_json(result: RunResult) -> dict[str, object]:
    return {**asdict(result), "artifact": str(result.artifact)}
