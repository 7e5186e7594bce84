"""Measures what the daemon uses up, and keeps its folder clean of what is forgotten."""

import contextlib
import shutil
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import psutil

from daemon.domain.clock import Clock, Interval
from daemon.telemetry.metrics import ChildName, Metrics

_EVERY = timedelta(seconds=5)


class HousekeepingStage:
    """Every few seconds, shows sizes and memory in the metrics and deletes files that an erasure condemned."""

    name = "housekeeping"

    def __init__(
        self,
        *,
        state_dir: Path,
        ledger_size: Callable[[], int],
        artifacts_size: Callable[[], int],
        children: Mapping[ChildName, Callable[[], int | None]],
        sweep: Callable[[], object],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._state_dir = state_dir
        self._ledger_size = ledger_size
        self._artifacts_size = artifacts_size
        self._children = children
        self._sweep = sweep
        self._metrics = metrics.process
        self._clock = clock
        self._time = Interval(_EVERY)

    def step(self) -> None:
        """Sweep and measure, if it is time."""
        now = self._clock()
        if not self._time.is_due(now):
            return
        self._time.start(now)
        self._sweep()
        self._metrics.ledger_size.set(self._ledger_size())
        with contextlib.suppress(OSError):  # a store that does not answer now; the last figure stays
            self._metrics.artifacts_size.set(self._artifacts_size())
        self._metrics.disk_free.set(shutil.disk_usage(self._state_dir).free)
        memory = {child: _resident_bytes(pid()) for child, pid in self._children.items()}
        self._metrics.child_memory.replace(
            {(child,): value for child, value in memory.items() if value is not None}
        )

    def close(self, timeout_s: float) -> None:
        """Nothing to let go of."""


def _resident_bytes(pid: int | None) -> float | None:
    if pid is None:
        return None
    try:
        return float(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return None
