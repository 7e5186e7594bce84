"""One of several model lines, which is started again where it fails."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from daemon.config.settings import Settings
from daemon.domain.backoff import Backoff
from daemon.domain.errors import LedgerLost
from daemon.domain.problems import ProblemKind
from daemon.http.health import Answer
from daemon.http.served import LineReports
from daemon.runtime.build import PreparedLine, open_line, prepare_line, run_line
from daemon.runtime.kafka_settings import load_kafka_settings
from daemon.runtime.settings_reload import ReloadSource
from daemon.telemetry.log_context import log_identity
from daemon.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)
_FIRST_S, _LONGEST_S = 5.0, 300.0
#: A line that ran for so long before it failed is started again after the shortest wait.
_STEADY_S = 600.0
_STARTING = "is being started"


@dataclass(frozen=True, kw_only=True, slots=True)
class _State:
    """What others see of a line. It is replaced as a whole."""

    metrics: Metrics
    running: PreparedLine | None = None
    problem: str = _STARTING  # why it does not run


class SupervisedLine:
    """A model line whose failures end its loop alone: they are logged, shown, and it is started again after a while.

    Each start is as that of a process: the settings are read again, the ledger is opened, and the metrics begin anew.
    """

    def __init__(
        self,
        settings: Settings,
        source: ReloadSource,
        *,
        describe: Callable[[Exception], str],
        clock: Callable[[], float],
    ) -> None:
        """``describe`` says an error in one sentence, without secrets; ``clock`` is monotonic, in seconds."""
        self.name = settings.model_line
        self._settings = settings
        self._source = source
        self._describe = describe
        self._clock = clock
        self._backoff = Backoff(_FIRST_S, _LONGEST_S)
        self._failures = 0
        self._state = _State(metrics=self._new_metrics())

    @property
    def metrics(self) -> Metrics:
        """Its metrics since its last start."""
        return self._state.metrics

    def live(self) -> Answer:
        """Return whether its loop makes turns; a line that does not run hangs nowhere."""
        running = self._state.running
        return running.health.live() if running else Answer(ok=True, body={"status": "not running"})

    def ready(self) -> Answer:
        """Return whether it works, and what is wrong."""
        state = self._state
        if state.running is not None:
            return state.running.health.ready()
        problems = {"line": state.problem}
        return Answer(ok=False, body={"status": "not ready", "model_line": self.name, "problems": problems})

    def reports(self) -> LineReports | None:
        """Return its reports; None while it does not run."""
        running = self._state.running
        return running.reports if running else None

    def run(self, stop: Event) -> None:
        """Run it until ``stop``, as often as it takes. The records of this thread's log name it."""
        with log_identity(model_line=self.name):
            while not stop.is_set():
                began = self._clock()
                try:
                    self._run_once(stop)
                except Exception as error:  # noqa: BLE001 - whatever ends a line must not end the others
                    if self._clock() - began >= _STEADY_S:
                        self._backoff.reset()
                    stop.wait(self._failed(error))

    def _run_once(self, stop: Event) -> None:
        settings = self._source.load() if self._failures else self._settings
        kafka = load_kafka_settings(settings)
        opened = open_line(settings, wait=stop.wait)
        if opened is None:
            return
        stores, _ = opened
        try:
            line = prepare_line(settings, kafka, *opened)
            line.metrics.process.line_restarts.inc(self._failures)
            self._state = _State(metrics=line.metrics, running=line)
            _log.info(
                "%s is running: topic %s, group %s",
                self.name,
                settings.kafka.topic,
                settings.kafka.group_id,
                extra={"action": "start"},
            )
            run_line(line, self._source, stop=stop)
        finally:
            self._state = _State(metrics=self._new_metrics(), problem="has ended")
            stores.engine.dispose()

    def _failed(self, error: Exception) -> float:
        """Log and show why the line ended; return the seconds until it is started again."""
        self._failures += 1
        wait_s = self._backoff.fail(self._clock())
        problem = f"{self._describe(error)} (started again {wait_s:.0f} s after that)"
        metrics = self._new_metrics()
        metrics.process.problem(ProblemKind.LEDGER_LOST).set(isinstance(error, LedgerLost))
        self._state = _State(metrics=metrics, problem=problem)
        debug = _log.isEnabledFor(logging.DEBUG)
        _log.error(
            "%s: %s",
            self.name,
            problem,
            exc_info=error if debug else None,
            extra={"action": "end"},
        )
        return wait_s

    def _new_metrics(self) -> Metrics:
        metrics = Metrics(self.name)
        metrics.process.line_restarts.inc(self._failures)
        return metrics
