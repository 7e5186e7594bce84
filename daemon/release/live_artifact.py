"""Checks the files of the live version while it is live."""

import logging
from concurrent.futures import Future
from datetime import timedelta
from threading import Thread

from daemon.domain.clock import Clock, Interval
from daemon.ledger.stores import Stores
from daemon.release.publish import local_artifact
from daemon.telemetry.log_context import carried
from registry.errors import RegistryError
from registry.history import History
from registry.names import VersionName
from registry.types import Version

_log = logging.getLogger(__name__)
_EVERY = timedelta(minutes=1)


class LiveArtifactCheck:
    """Compares the live version's files with its digest every minute, on a thread of its own.

    A pointer of the target that names the right version but another folder or digest is written again.
    """

    def __init__(self, stores: Stores, *, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock
        self._interval = Interval(_EVERY)
        self._version: VersionName | None = None  # the one that was checked, or is
        self._check: Future[bool] | None = None  # whether the target's pointer is right
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """What is wrong with the live version's files, in one sentence; None if nothing is known."""
        return self._problem

    def step(self, history: History) -> None:
        """Start a check if one is due, or take its result."""
        live = history.live
        if live is None:
            return
        if self._check is not None:
            if self._check.done():
                self._take(self._check, live)
                self._check = None
            return
        now = self._clock()
        if live == self._version and not self._interval.is_due(now):
            return
        self._interval.start(now)
        self._version = live
        self._check = self._begin(self._stores.versions.version(live))

    def _begin(self, version: Version) -> Future[bool]:
        check: Future[bool] = Future()

        def examine() -> None:
            try:
                artifact = local_artifact(self._stores, version)
                check.set_result(self._stores.target.serves(version, artifact))
            except Exception as error:  # noqa: BLE001 - the loop's thread raises it
                check.set_exception(error)

        # A daemon thread: it changes nothing, so the process need not wait for it to end.
        Thread(target=carried(examine), name="retuned-artifact", daemon=True).start()
        return check

    def _take(self, check: Future[bool], live: VersionName) -> None:
        before, self._problem = self._problem, None
        try:
            right = check.result()
        except (RegistryError, OSError) as error:
            self._problem = (
                f"the files of {self._version}, which is live, are not as they were: {error}; or go back: "
                "`retuned rollback -m REASON`"
            )
            if self._problem != before:
                _log.error("%s", self._problem, extra={"action": "verify", "version": str(self._version)})
            return
        if before is not None:
            _log.info(
                "the files of %s match its digest again",
                live,
                extra={"action": "verify", "version": str(live)},
            )
        if not right and live == self._version:
            self._write_pointer_again(live)

    def _write_pointer_again(self, live: VersionName) -> None:
        version = self._stores.versions.version(live)
        try:
            self._stores.target.serve(version, local_artifact(self._stores, version), now=self._clock())
        except (RegistryError, OSError) as error:
            extra = {"action": "serve", "version": str(live)}
            _log.warning("the target can't be corrected: %s", error, extra=extra)
        else:
            _log.warning(
                "the target named %s with another folder or digest; it was corrected", live,
                extra={"action": "serve", "version": str(live)},
            )  # fmt: skip
