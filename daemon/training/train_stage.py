"""Keeps at most one training running."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from daemon.config.live import LiveSettings
from daemon.domain.clock import Clock
from daemon.domain.decisions import Action, Decision, DecisionGround, Trigger
from daemon.domain.errors import ForgottenMeanwhile, NotEnoughData
from daemon.domain.left_out import NOT_MEANT, left_out_words
from daemon.domain.runs import Run, RunState
from daemon.ledger.stores import Stores
from daemon.telemetry.metrics import Metrics
from daemon.training.built_dataset import Dataset
from daemon.training.current_run import CurrentRun, RunEnd
from daemon.training.held_back import HeldBack
from daemon.training.orders import TrainingOrders
from daemon.training.planned_run import PlannedRun, from_json, to_json
from daemon.training.planning import PendingPlan, Planning, read_basis
from daemon.training.protocols import Trainer
from daemon.training.waiting_decision import WaitingDecision
from learners.types import RunResult
from registry.errors import RegistryError
from registry.names import VersionName

_log = logging.getLogger(__name__)


class TrainStage:
    """Starts the training that was decided on, follows it, and registers its result.

    A run is planned beside the loop; a plan that is stale when it is done is made again. A run
    that was cut short by the daemon's end continues from its checkpoint after the next start. A decision whose
    run can't start now, because the artifact store does not answer or the disk is full, waits and is tried again.

    Operators' orders are read at each step: a run that is cancelled, or that continues from a version that was rolled
    back, ends. While training is paused, the run is suspended at its checkpoint and none starts.
    """

    name = "training"

    def __init__(
        self,
        stores: Stores,
        settings: LiveSettings,
        *,
        planning: Planning,
        trainer: Trainer,
        register: Callable[[PlannedRun, RunResult], object],
        runs_dir: Path,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._decisions = stores.decisions
        self._runs = stores.runs
        self._read_basis = partial(read_basis, stores, settings.current.model_line)
        self._orders = TrainingOrders(stores.versions, settings.current.model_line)
        self._settings = settings
        self._planning = planning
        self._trainer = trainer
        self._register = register
        self._runs_dir = runs_dir
        self._metrics = metrics.training
        self._show_decision = metrics.drift.last_decision_is
        self._clock = clock
        self._waiting = WaitingDecision(clock)
        self._held_back = HeldBack(stores.conversations, stores.runs, settings)
        self._pending: PendingPlan | None = None
        self._current: CurrentRun | None = None
        self._suspended: Run | None = None  # in progress, without a child

    @property
    def pending_work(self) -> str | None:
        """The run in progress or the decision that waits, in words; None when a training could start at once."""
        run = self._current.run if self._current else self._suspended
        return f"run {run.id}" if run else self._waiting.description

    @property
    def held_back(self) -> str | None:
        """What automatic trainings wait for that is neither a run nor a decision, in words; None if nothing."""
        return self._held_back.reason

    @property
    def pid(self) -> int | None:
        """The training child's process id while it runs."""
        return self._current.pid if self._current else None

    def start(self) -> None:
        """Continue what the ledger says is not done: a run that was cut short, a decision without a run."""
        self._discard_files(self._next_run_id())  # planned, but not started when a daemon was killed
        self._waiting.restore(self._decisions.open_decision())
        self._suspended = self._runs.running()
        self._continue()
        going_on = self._current.run if self._current else self._suspended
        self._trainer.clean_up(going_on.id if going_on else None)

    def submit(self, decision: Decision) -> None:
        """Take a decision to train; it replaces one that still waits."""
        self._waiting.put(decision)

    def step(self) -> None:
        """Follow the run in progress, continue one that was suspended, or plan and start the one that waits."""
        if self._current is not None:
            self._obey(self._current)
        elif self._suspended is not None:
            self._continue()
        elif self._pending is not None:
            self._follow_plan(self._pending)
        elif (decision := self._waiting.due()) is not None and self._orders.read_pause() is None:
            self._begin(decision)

    def close(self, timeout_s: float) -> None:
        """Stop planning, and the child. Its run stays open in the ledger and continues after the next start."""
        self._planning.close()
        if self._pending is not None:
            self._pending.cancel()
            self._pending.wait(timeout_s)
        if self._current is not None:
            self._current.stop(timeout_s)
        self._trainer.close(timeout_s)

    def _obey(self, current: CurrentRun) -> None:
        """End or suspend the run if an operator said so; else follow it."""
        reason = self._orders.read_cancellation(current.run.id, current.parent)
        if reason is not None:
            self._end(current.run, current.cancel(reason))
        elif (pause := self._orders.read_pause()) is not None:
            self._suspend(current, pause)
        else:
            self._follow(current)

    def _suspend(self, current: CurrentRun, pause: str) -> None:
        """Stop the child of a run; the run goes on from its checkpoint later."""
        end = current.suspend()
        if end is not None:
            self._end(current.run, end)
            return
        self._current, self._suspended = None, current.run
        self._metrics.no_run()
        extra = {"action": "train", "run": current.run.id}
        _log.info("run %s is suspended: %s", current.run.id, pause, extra=extra)

    def _continue(self) -> None:
        """Continue the run that has no child, unless an operator cancelled it or has paused training."""
        run = self._suspended
        if run is None:
            return
        parent = run.request.get("parent")
        name = VersionName.parse(parent) if isinstance(parent, str) else None
        reason = self._orders.read_cancellation(run.id, name)
        if reason is not None:
            self._suspended = None
            self._end(run, RunEnd(state=RunState.CANCELLED, error=reason))
        elif self._orders.read_pause() is None:
            self._suspended = None
            self._resume(run)

    def _next_run_id(self) -> str:
        return f"r{self._runs.next_number()}"

    def _begin(self, decision: Decision) -> None:
        run_id = self._next_run_id()
        self._pending = self._planning.begin(
            run_id, decision, folder=self._runs_dir / run_id, basis=self._read_basis()
        )
        self._follow_plan(self._pending)

    def _follow_plan(self, pending: PendingPlan) -> None:
        """Take the plan once it is done, unless it is stale: then the decision that waits is planned again."""
        if self._waiting.decision is not pending.decision or self._orders.read_pause() is not None:
            pending.cancel()
        if not pending.done:
            return
        self._pending = None
        if pending.cancelled or self._read_basis() != pending.basis:
            self._discard_files(pending.run_id)
            extra = {"action": "train", "run": pending.run_id}
            _log.info("the plan of run %s is stale and is discarded", pending.run_id, extra=extra)
        else:
            self._take(pending)

    def _take(self, pending: PendingPlan) -> None:
        """Start the planned run, or say why it does not start."""
        run_id, decision = pending.run_id, pending.decision
        try:
            planned = pending.result()
        except NotEnoughData as error:
            self._put_off(run_id, decision, str(error))
        except (RegistryError, OSError) as error:
            self._discard_files(run_id)
            self._waiting.retry_later(error)
        else:
            self._metrics.would_leave_out(planned.dataset.left_out, new=planned.dataset.new)
            self._metrics.run_lessons(planned.dataset.lessons)
            most = self._settings.current.curation.max_left_out
            if decision.trigger is not Trigger.MANUAL and planned.dataset.share_left_out > most:
                self._put_off(run_id, decision, _most_left_out(planned.dataset))
            else:
                self._record_and_launch(run_id, decision, planned)

    def _put_off(self, run_id: str, decision: Decision, reason: str) -> None:
        """Record that the training does not start, and why; another one waits for more data or an operator."""
        self._discard_files(run_id)
        self._waiting.clear()
        if decision.trigger is Trigger.MANUAL:
            action, said = Action.NONE, f"{decision.reason}; {reason}"
        else:
            action, said = Action.WAIT, f"{decision.reason}; waits for {self._held_back.put(reason)}"
        put_off = replace(
            decision,
            id=None,
            at=self._clock(),
            action=action,
            reason=said,
            ground=DecisionGround.HELD_BACK,
        )
        self._decisions.decide(put_off)
        self._show_decision(put_off)
        _log.warning("no training: %s", reason, extra={"action": "train", "run": run_id})

    def _record_and_launch(self, run_id: str, decision: Decision, planned: PlannedRun) -> None:
        run = Run(
            id=run_id,
            decision_id=decision.id or 0,
            state=RunState.RUNNING,
            request=to_json(planned),
            started_at=self._clock(),
            since_seq=decision.since_seq,
            until_seq=planned.until_seq,
        )
        try:
            self._runs.start(run, planned.dataset.records)
        except ForgottenMeanwhile as error:  # the decision waits: the next step plans it again
            _log.warning("%s", error, extra={"action": "train", "run": run_id})
            self._discard_files(run_id)
        else:
            self._waiting.clear()
            self._held_back.clear()
            self._launch(run, planned)

    def _discard_files(self, run_id: str) -> None:
        """Delete copies of conversations that belong to no run in the ledger: no erasure would find them."""
        shutil.rmtree(self._runs_dir / run_id, ignore_errors=True)

    def _resume(self, run: Run) -> None:
        planned = from_json(run.request, records=self._runs.training_records(run.id))
        if not self._trainer.can_continue(planned, self._runs_dir / run.id):
            self._replace_run(run, planned.request.data.parent)
            return
        _log.info("run %s continues", run.id, extra={"action": "train", "run": run.id})
        # A finished artifact that was not registered is made again: the same request gives the same artifact.
        shutil.rmtree(self._runs_dir / run.id / "artifact", ignore_errors=True)
        self._launch(run, planned)

    def _replace_run(self, run: Run, folder: Path) -> None:
        """End a run whose files are on another replica; its decision leads to a new run."""
        self._waiting.restore(self._decisions.decision(run.decision_id))
        reason = f"its folder {folder} is another replica's; a new run takes its place"
        self._end(run, RunEnd(state=RunState.FAILED, error=reason))

    def _launch(self, run: Run, planned: PlannedRun) -> None:
        child = self._trainer.launch(planned, self._runs_dir / run.id)
        self._current = CurrentRun(
            run,
            planned,
            child,
            register=self._register,
            launched_at=self._clock(),
            timeout=timedelta(seconds=self._trainer.timeout_s),
        )
        self._metrics.run_must_end_by(self._current.ends_by.timestamp())
        dataset = planned.dataset
        _log.info(
            "run %s learns from %s new and %s replayed conversations; lessons: %s; left out: %s",
            run.id, dataset.new, dataset.replay, dict(dataset.lessons), dict(dataset.left_out) or "none",
            extra={"action": "train", "run": run.id},
        )  # fmt: skip

    def _follow(self, current: CurrentRun) -> None:
        end = current.follow(self._clock())
        if current.progress is not None:
            self._metrics.run_is_at(current.progress)
        if current.job is not None:
            self._metrics.job_is(current.job.state)
        if (progress := current.new_progress()) is not None:
            self._runs.note_progress(current.run.id, progress)
        if end is not None:
            if end.plan_again:
                self._waiting.restore(self._decisions.decision(current.run.decision_id))
            self._end(current.run, end)

    def _end(self, run: Run, end: RunEnd) -> None:
        now = self._clock()
        skipped = end.result.skipped_lines if end.result else {}
        self._runs.end(
            run.id, end.state, now=now, result=_result_json(end.result), error=end.error, skipped=skipped
        )
        if end.result is not None:
            self._metrics.skipped(end.result.skipped, learned=end.result.conversations)
        self._metrics.runs(end.state).inc()
        self._metrics.duration.observe((now - run.started_at).total_seconds())
        self._metrics.no_run()
        self._trainer.discard(run.id)
        _log.log(
            logging.ERROR if end.state is RunState.FAILED else logging.INFO,
            "run %s %s%s", run.id, end.state, f": {end.error}" if end.error else "",
            extra={"action": "train", "run": run.id},
        )  # fmt: skip
        self._current = None


def _most_left_out(dataset: Dataset) -> str:
    meant = {reason: count for reason, count in dataset.left_out.items() if reason not in NOT_MEANT}
    left_out = sum(meant.values())
    return (
        f"{left_out:,} of {left_out + dataset.new:,} new conversations would be left out "
        f"({left_out_words(meant)}), more than curation.max_left_out"
    )


def _result_json(result: RunResult | None) -> dict[str, Any] | None:
    """Return a result as the ledger keeps it. Which lines were skipped stands with the training records."""
    if result is None:
        return None
    values = {**asdict(result), "artifact": str(result.artifact)}
    del values["skipped_lines"]
    return values
