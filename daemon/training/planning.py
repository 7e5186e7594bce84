"""Plans a run beside the loop."""

from concurrent.futures import CancelledError, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from daemon.domain.decisions import Decision
from daemon.ledger.stores import Stores
from daemon.telemetry.log_context import log_identity
from daemon.training.planned_run import PlannedRun
from daemon.training.protocols import Check, Planner
from registry.line_logs import read_logs


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanBasis:
    """What decides which version a run continues from. A plan is stale once one of these has changed."""

    promotions: int  # entries of the log
    orders: int  # entries of the log
    erased_runs: frozenset[str]  # runs that learned from records erased since


def read_basis(stores: Stores, model_line: str) -> PlanBasis:
    """Read what a plan would be made from now."""
    logs = read_logs(stores.versions, model_line)
    return PlanBasis(
        promotions=logs.history.position,
        orders=logs.orders.number,
        erased_runs=stores.erasures.runs_with_erased_records(),
    )


class PendingPlan:
    """A plan that is being made."""

    def __init__(self, run_id: str, decision: Decision, basis: PlanBasis) -> None:
        """``basis`` is as it was before the planning began."""
        self.run_id = run_id
        self.decision = decision
        self.basis = basis
        self._cancelled = Event()
        self._future: Future[PlannedRun] | None = None

    def begin(self, plan: Planner, executor: Executor, folder: Path) -> None:
        """Have the plan made in ``executor``; its training file is written into ``folder``."""
        self._future = executor.submit(
            _plan_run, plan, self.run_id, since_seq=self.decision.since_seq, folder=folder, check=self._check
        )

    @property
    def done(self) -> bool:
        """Whether the planning has ended, in whatever way. Nothing is written any more."""
        return self._future is None or self._future.done()

    @property
    def cancelled(self) -> bool:
        """Whether the plan is not wanted any more."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Have the planning end as soon as it can; it writes no training file from now on."""
        self._cancelled.set()

    def result(self) -> PlannedRun:
        """Return the plan that is done. Raises what the planner raised."""
        if self._future is None:
            raise CancelledError
        return self._future.result(timeout=0)

    def wait(self, timeout_s: float) -> None:
        """Wait for the end of the planning."""
        if self._future is not None:
            wait([self._future], timeout_s)

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise CancelledError


def _plan_run(plan: Planner, run_id: str, *, since_seq: int, folder: Path, check: Check) -> PlannedRun:
    with log_identity(run=run_id):
        return plan(run_id, since_seq=since_seq, folder=folder, check=check)


class Planning:
    """Plans runs in ``executor``, one at a time, while the loop goes on.

    Planning reads all held-out conversations, which can take half a minute. The executor's thread reads the ledger and
    writes the training file; all else is written by the loop, which takes the plan.
    """

    def __init__(self, plan: Planner, executor: Executor) -> None:
        self._plan = plan
        self._executor = executor

    def begin(self, run_id: str, decision: Decision, *, folder: Path, basis: PlanBasis) -> PendingPlan:
        """Begin to plan the run of a decision."""
        pending = PendingPlan(run_id, decision, basis)
        pending.begin(self._plan, self._executor, folder)
        return pending

    def close(self) -> None:
        """Accept no more plans."""
        self._executor.shutdown(wait=False, cancel_futures=True)
