"""Follows the promotion log."""

import logging

from daemon.config.settings import Settings
from daemon.domain.clock import Clock
from daemon.domain.log_once import LogOnce
from daemon.ledger.stores import Stores
from daemon.release.held_out import first_new_seq
from daemon.release.publish import publish_live
from daemon.telemetry.metrics import Metrics
from registry.errors import RegistryError
from registry.history import History
from registry.types import Promotion, PromotionKind

_log = logging.getLogger(__name__)


class LogFollower:
    """Keeps the target, the reference and the metrics in line with the promotion log, whoever wrote its entries."""

    def __init__(self, stores: Stores, settings: Settings, *, metrics: Metrics, clock: Clock) -> None:
        self._stores = stores
        self._model_line = settings.model_line
        self._windows = settings.windows
        self._metrics = metrics.release
        self._clock = clock
        self._followed = 0  # entries
        self._problem: str | None = None
        self._switching = LogOnce("switching the target", _log, extra={"action": "serve"})

    @property
    def problem(self) -> str | None:
        """Why the target does not serve what the log says is live; None if it does."""
        return self._problem

    def follow(self, history: History) -> None:
        """Bring target, metrics and reference in line; while the artifact can't be fetched, all stay as they are.

        Each call checks the target, which knows no fencing token: a leader that was replaced may still write it once.
        """
        try:
            switched = publish_live(self._stores, model_line=self._model_line, clock=self._clock)
        except (OSError, RegistryError) as error:
            self._switching.failed(error)
            self._problem = f"the target can't be switched to {history.live}: {error}"
            return
        self._problem = None
        self._switching.recovered()
        if history.position > self._followed:
            self._report(history)
        elif switched:
            _log.warning(
                "the target did not serve the live version; it was switched to %s again", history.live,
                extra={"action": "serve", "version": str(history.live)},
            )  # fmt: skip
        if history.entries:
            self._keep_reference(history.entries[-1])

    def _report(self, history: History) -> None:
        """Count the new entries, but for those from before the start, and show which version is live."""
        if self._followed > 0:
            for entry in history.entries[self._followed :]:
                self._metrics.promoted(entry)
        self._followed = history.position
        last = history.entries[-1]
        self._metrics.live_is(last.version)
        self._metrics.versions.set(self._stores.versions.next_number(self._model_line))
        extra = {"action": last.kind.value, "version": str(last.version)}
        _log.info("%s is live: %s", last.version, last.reason, extra=extra)

    def _keep_reference(self, entry: Promotion) -> None:
        """Have windows compared with conversations that the live version is known to handle, unless that is frozen.

        Each call checks it, because a freeze may have ended.
        """
        references, version = self._stores.references, str(entry.version)
        newest = references.newest()
        if newest is not None and (newest.version == version or references.frozen()):
            return
        now = self._clock()
        if entry.kind is PromotionKind.ROLLBACK and references.restore(version, now) is not None:
            return
        since = first_new_seq(self._stores.runs, self._stores.versions.version(entry.version))
        references.start(
            version,
            size=self._windows.reference_size,
            after_seq=since - 1,
            now=now,
            days=self._windows.reference_days,
        )
