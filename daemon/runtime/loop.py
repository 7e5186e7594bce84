"""Turns the stages, one after the other, until told to stop."""

import logging
import time
from collections.abc import Callable, Sequence
from threading import Event

from daemon.runtime.stage import Stage
from daemon.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)


class Loop:
    """The daemon's only thread of decisions.

    One turn takes a step of every stage. The intake's poll waits a moment for records and so paces the loop. An
    error that no stage expected ends the process: the supervisor starts it again, and the ledger says where.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        stop: Event,
        beat: Callable[[], None],
        metrics: Metrics,
        close_within_s: float,
    ) -> None:
        self._stages = stages
        self._stop = stop
        self._beat = beat
        self._metrics = metrics
        self._close_within_s = close_within_s

    def run(self) -> None:
        """Turn until stopped, then close every stage, the last first."""
        try:
            while not self._stop.is_set():
                with self._metrics.process.iteration.time():
                    self._turn()
        finally:
            self._close()

    def _turn(self) -> None:
        self._beat()
        for stage in self._stages:
            if self._stop.is_set():
                return
            stage.step()

    def _close(self) -> None:
        deadline = time.monotonic() + self._close_within_s
        for left, stage in zip(range(len(self._stages), 0, -1), reversed(self._stages), strict=True):
            share = max(0.5, (deadline - time.monotonic()) / left)
            started = time.monotonic()
            try:
                stage.close(share)
            except Exception:  # noqa: BLE001 - one stage's failure must not leave the others' children behind
                _log.exception("closing %s failed", stage.name, extra={"action": "stop"})
            _log.info("%s closed in %.1f s", stage.name, time.monotonic() - started, extra={"action": "stop"})
