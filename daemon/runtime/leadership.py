"""Turns the stages that only one replica may: while it leads."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from daemon.domain.errors import StaleLeader
from daemon.runtime.stage import Stage
from daemon.telemetry.metrics import ChildName, Metrics

_log = logging.getLogger(__name__)
_STEP_DOWN_S = 5.0


class Election(Protocol):
    """Says whether this replica leads."""

    def hold(self) -> int | None: ...

    def lost(self) -> None: ...

    def release(self) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaderRuntime:
    """What runs in the leader alone."""

    stages: Sequence[Stage]
    children: Mapping[ChildName, Callable[[], int | None]] = field(default_factory=dict)  # their process ids
    problem: Callable[[], str | None] = lambda: None  # why it can't do its work, for people


class LeadershipStage:
    """Opens the leader's stages when the lease is won, and closes them, children too, when it is lost.

    A leader that was overtaken learns it at the latest from its next write, which is refused; it goes on as a follower.
    """

    name = "leading"

    def __init__(self, election: Election, lead: Callable[[int], LeaderRuntime], *, metrics: Metrics) -> None:
        """``lead`` makes the leader's stages, whose writes carry the number it is given."""
        self._election = election
        self._lead = lead
        self._metrics = metrics.process
        self._fence: int | None = None
        self._led = _NOTHING

    @property
    def problem(self) -> str | None:
        """Why the leader can't do its work. A follower has none."""
        return self._led.problem()

    def pid(self, child: ChildName) -> int | None:
        """Return the process id of a child while it runs."""
        ask = self._led.children.get(child)
        return ask() if ask else None

    def step(self) -> None:
        """Win, keep or lose the lease; take a step of every stage while it is held."""
        fence = self._election.hold()
        try:
            if fence != self._fence:
                self._change(fence)
            for stage in self._led.stages:
                stage.step()
        except StaleLeader as stale:
            _log.warning("%s", stale, extra={"action": "step_down"})
            self._election.lost()
            self._change(None)

    def close(self, timeout_s: float) -> None:
        """Close the leader's stages, then give the lease back: a successor never meets the children of this one."""
        self._close(timeout_s)
        self._election.release()

    def _change(self, fence: int | None) -> None:
        if self._fence is not None:
            _log.warning("another replica leads now", extra={"action": "step_down"})
        self._close(_STEP_DOWN_S)
        self._fence = fence
        self._metrics.leader.set(0 if fence is None else 1)
        self._metrics.leader_fence.set(fence or 0)
        if fence is not None:
            _log.info("leads, under number %s", fence, extra={"action": "lead"})
            self._led = self._lead(fence)

    def _close(self, timeout_s: float) -> None:
        led, self._led = self._led, _NOTHING
        for stage in reversed(led.stages):
            try:
                stage.close(timeout_s / len(led.stages))
            except Exception:  # noqa: BLE001 - one stage's failure must not leave the others' children behind
                _log.exception("closing %s failed", stage.name, extra={"action": "step_down"})


_NOTHING = LeaderRuntime(stages=())
