"""Compares what the ledger is bound to with what is there, while the daemon runs."""

import logging
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from threading import Thread

from daemon.config.settings import Settings
from daemon.domain.clock import Clock, Interval
from daemon.ledger.stores import Stores
from daemon.release.bound import Bound, Difference, base_difference, differences
from daemon.runtime.base_model import BaseModel
from daemon.telemetry.log_context import carried
from learners.models.base import base_digest, base_stamp

_log = logging.getLogger(__name__)
_EVERY = timedelta(minutes=1)


class BoundStage:
    """Compares every minute, on a thread of its own, since the artifact store and large files take their time.

    The base model's files are read only after their sizes or times have changed.
    """

    name = "bound"

    def __init__(self, stores: Stores, settings: Settings, base: BaseModel, *, clock: Clock) -> None:
        self._stores = stores
        self._settings = settings
        self._base = base
        self._clock = clock
        self._interval = Interval(_EVERY)
        self._stamp: object = None  # of the base model's files when their digest was computed
        self._digest = base.digest
        self._examination: Future[list[Difference]] | None = None
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """What differs, naming both sides; None if nothing is known to."""
        return self._problem

    def step(self) -> None:
        """Begin a comparison if one is due, or take its result."""
        if self._examination is not None:
            if self._examination.done():
                examination, self._examination = self._examination, None
                self._take(examination)
            return
        now = self._clock()
        if self._interval.is_due(now):
            self._interval.start(now)
            self._examination = self._begin()

    def close(self, timeout_s: float) -> None:
        """Do nothing: the thread changes nothing that another process could not change at the same time."""

    def _begin(self) -> Future[list[Difference]]:
        examination: Future[list[Difference]] = Future()

        def examine() -> None:
            try:
                examination.set_result(self._examine())
            except Exception as error:  # noqa: BLE001 - the loop's thread raises it
                examination.set_exception(error)

        Thread(target=carried(examine), name="retuned-bound", daemon=True).start()
        return examination

    def _examine(self) -> list[Difference]:
        found = [*differences(self._stores, self._settings), *self._compare_base()]
        if not any(each.bound is Bound.LEDGER for each in found):
            with suppress(OSError):  # the next time, then
                self._stores.marks.advance()
        return found

    def _compare_base(self) -> list[Difference]:
        try:
            stamp = base_stamp(self._base.folder)
            if stamp != self._stamp:
                self._digest, self._stamp = base_digest(self._base.folder), stamp
        except OSError as error:
            return [
                Difference(
                    bound=Bound.BASE,
                    found=f"the base model {self._base.folder} with digest {self._base.digest[:12]} can't be read: {error}",
                    remedy="restore the folder",
                )
            ]
        return list(base_difference(self._stores, self._settings, self._digest))

    def _take(self, examination: Future[list[Difference]]) -> None:
        before = self._problem
        self._problem = "; ".join(map(str, examination.result())) or None
        if self._problem is not None and self._problem != before:
            _log.error("%s", self._problem, extra={"action": "compare"})
        elif self._problem is None and before is not None:
            _log.info("what the ledger is bound to is there again", extra={"action": "compare"})
