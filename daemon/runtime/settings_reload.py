"""Reads the settings again while the daemon runs."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from daemon.config.live import LiveSettings
from daemon.config.mistakes import SettingsError
from daemon.config.reloading import ReloadReport, changes, with_reloadable
from daemon.config.sections.logging import LoggingSection
from daemon.config.settings import Settings
from daemon.domain.clock import Clock
from daemon.runtime.reload_signal import ReloadRequests
from daemon.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)
_ACTION = {"action": "reload"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ReloadSource:
    """Where new settings come from, and what takes those of logging."""

    requests: ReloadRequests
    load: Callable[[], Settings]  # raises SettingsError
    configure_logging: Callable[[LoggingSection], None]


class SettingsReload:
    """Answers requests to read the settings again, between two turns of the loop.

    The reloadable settings are applied together, the others wait for a restart. A file with mistakes changes nothing.
    """

    def __init__(
        self,
        live: LiveSettings,
        source: ReloadSource,
        *,
        report: Callable[[ReloadReport], None],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """``report`` shows what a reading did to whoever asks the daemon."""
        self._live = live
        self._source = source
        self._report = report
        self._metrics = metrics.process
        self._clock = clock
        self._answered = source.requests.number
        self._metrics.reload_succeeded(clock(), waiting=0)  # the start has read them

    def step(self) -> None:
        """Read the settings, if that was requested since the last step."""
        number = self._source.requests.number
        if number == self._answered:
            return
        self._answered = number
        now = self._clock()
        try:
            report = self._take(self._source.load(), now)
        except SettingsError as error:
            report = ReloadReport(at=now, mistakes=tuple(map(str, error.mistakes)))
            self._metrics.reload_failed()
            _log.error("%s", report.sentence, extra=_ACTION)
        else:
            self._metrics.reload_succeeded(now, waiting=len(report.needs_restart))
            _log.info("%s", report.sentence, extra=_ACTION)
        self._report(report)

    def _take(self, read: Settings, now: datetime) -> ReloadReport:
        found = changes(self._live.current, read)
        applied = tuple(str(change) for change in found if change.reloadable)
        waiting = tuple(str(change) for change in found if not change.reloadable)
        try:
            self._live.replace(with_reloadable(self._live.current, read))
        except ValidationError:  # a reloadable setting needs one that waits
            return ReloadReport(at=now, needs_restart=tuple(map(str, found)))
        self._source.configure_logging(self._live.current.logging)
        return ReloadReport(at=now, applied=applied, needs_restart=waiting)
