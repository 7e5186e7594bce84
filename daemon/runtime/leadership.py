"""Runs the stages that only the leading replica may run."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from daemon.domain.errors import StaleLeader
from daemon.domain.problems import ProblemKind
from daemon.runtime.close_all import close_all
from daemon.runtime.stage import Stage
from daemon.telemetry.metrics import ChildName, Metrics

_log = logging.getLogger(__name__)
_STEP_DOWN_S = 5.0


class Election(Protocol):
    """Decides whether this replica leads."""

    def acquire_or_renew(self) -> int | None:
        """Acquire or renew the lease; return its fencing token, None while another replica leads."""
        ...

    def lost(self) -> None:
        """Take note that another replica has the lease."""
        ...

    def release(self) -> None:
        """Give the lease back."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaderRuntime:
    """What runs in the leader alone."""

    stages: Sequence[Stage]
    start: Callable[[], None] = lambda: None  # starts children and reads the ledger; raises StaleLeader
    children: Mapping[ChildName, Callable[[], int | None]] = field(default_factory=dict)  # their process ids
    problems: Mapping[ProblemKind, Callable[[], str | None]] = field(default_factory=dict)  # a sentence each


_NOTHING = LeaderRuntime(stages=())


class LeadershipStage:
    """Starts the leader's stages when the lease is acquired, and closes them with their children when it is lost.

    A leader that was replaced learns it from its next write at the latest: the write is refused, and it becomes a follower.
    """

    name = "leading"

    def __init__(
        self, election: Election, build: Callable[[int], LeaderRuntime], *, metrics: Metrics
    ) -> None:
        """``build`` makes the leader's stages, whose writes carry the fencing token it is given."""
        self._election = election
        self._build = build
        self._metrics = metrics.process
        self._token: int | None = None
        self._runtime = _NOTHING

    def problem(self, kind: ProblemKind) -> str | None:
        """Return what is wrong with the leader's part of the work. A follower has no such problem."""
        read_problem = self._runtime.problems.get(kind)
        return read_problem() if read_problem else None

    def pid(self, child: ChildName) -> int | None:
        """Return the process id of a child while it runs."""
        read_pid = self._runtime.children.get(child)
        return read_pid() if read_pid else None

    def step(self) -> None:
        """Acquire, renew or lose the lease; while it is held, take a step of every stage."""
        token = self._election.acquire_or_renew()
        try:
            if token != self._token:
                self._change(token)
            for stage in self._runtime.stages:
                stage.step()
        except StaleLeader as stale:
            _log.warning("%s", stale, extra={"action": "step_down"})
            self._election.lost()
            self._change(None)

    def reset(self) -> None:
        """Step down without the ledger, which can't be used; the next step acquires the lease anew."""
        self._election.lost()
        if self._token is not None:
            self._change(None)

    def close(self, timeout_s: float) -> None:
        """Close the leader's stages, then release the lease: the next leader never meets children of this one."""
        self._close_stages(timeout_s, action="stop")
        self._election.release()

    def _change(self, token: int | None) -> None:
        if self._token is not None:
            _log.warning("lost leadership (fencing token %s)", self._token, extra={"action": "step_down"})
        self._close_stages(_STEP_DOWN_S, action="step_down")
        self._token = token
        self._metrics.leader.set(0 if token is None else 1)
        self._metrics.leader_fence.set(token or 0)
        if token is not None:
            _log.info("acquired leadership (fencing token %s)", token, extra={"action": "lead"})
            self._runtime = self._build(token)
            self._runtime.start()

    def _close_stages(self, timeout_s: float, *, action: str) -> None:
        runtime, self._runtime = self._runtime, _NOTHING
        close_all(runtime.stages, timeout_s, action=action)
