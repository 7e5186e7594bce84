"""Measures the daemon's disk and memory use, and deletes the files of erased conversations."""

import contextlib
import logging
import shutil
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import psutil

from daemon.domain.clock import Clock, Interval
from daemon.domain.log_once import LogOnce
from daemon.telemetry.metrics import ChildName, Metrics

_log = logging.getLogger(__name__)
_EVERY = timedelta(seconds=5)


class HousekeepingStage:
    """Sweeps training files and updates the metrics of disk and memory, every few seconds."""

    name = "housekeeping"

    def __init__(
        self,
        *,
        state_dir: Path,
        ledger_size: Callable[[], int],
        ledger_disk_free: Callable[[], int | None],
        artifacts_size: Callable[[], int],
        children: Mapping[ChildName, Callable[[], int | None]],
        sweep: Callable[[], object],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """``children`` return process ids; ``sweep`` deletes the training files of erased conversations."""
        self._state_dir = state_dir
        self._ledger_size = ledger_size
        self._ledger_disk_free = ledger_disk_free
        self._artifacts_size = artifacts_size
        self._children = children
        self._sweep = sweep
        self._sweeping = LogOnce(
            "deleting training files of erased conversations", _log, extra={"action": "forget"}
        )
        self._metrics = metrics.process
        self._clock = clock
        self._interval = Interval(_EVERY)

    def step(self) -> None:
        """Sweep and measure, if the interval is over."""
        now = self._clock()
        if not self._interval.is_due(now):
            return
        self._interval.start(now)
        self._delete_erased()
        with contextlib.suppress(OSError):  # where a disk or store does not answer, the last figures stay
            self._metrics.ledger_size.set(self._ledger_size())
            disk = shutil.disk_usage(self._state_dir)
            self._metrics.disk_free.set(disk.free)
            self._metrics.disk_size.set(disk.total)
            free = self._ledger_disk_free()
            self._metrics.ledger_disk_free.replace({} if free is None else {(): free})
            self._metrics.artifacts_size.set(self._artifacts_size())
        memory = {child: _resident_bytes(read_pid()) for child, read_pid in self._children.items()}
        self._metrics.child_memory.replace(
            {(child,): value for child, value in memory.items() if value is not None}
        )

    def _delete_erased(self) -> None:
        try:
            self._sweep()
        except OSError as error:  # a disk or the artifact store does not answer: again at the next step
            self._sweeping.failed(error)
        else:
            self._sweeping.recovered()

    def close(self, timeout_s: float) -> None:
        """Do nothing: the stage holds no resources."""


def _resident_bytes(pid: int | None) -> float | None:
    if pid is None:
        return None
    try:
        return float(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return None
