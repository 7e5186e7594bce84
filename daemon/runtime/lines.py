"""Runs several model lines in one process: a thread with a loop for each, and one HTTP server for all."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event, Thread

from daemon.config.addresses import bracketed
from daemon.config.sections.logging import LoggingSection
from daemon.config.settings import Settings
from daemon.http.lines_probes import LinesProbes
from daemon.http.served import ReportSources
from daemon.http.server import HttpServer
from daemon.runtime.build import CLOSE_WITHIN_S
from daemon.runtime.garbage_collector import relax_garbage_collector
from daemon.runtime.reload_signal import reload_on_hangup
from daemon.runtime.settings_reload import ReloadSource
from daemon.runtime.stop_signals import stop_on_signals
from daemon.runtime.supervised_line import SupervisedLine
from daemon.telemetry.metrics import MetricsOfLines

_log = logging.getLogger(__name__)
#: How long the end of all lines is waited for; each closes its stages at the same time.
_STOP_WITHIN_S = CLOSE_WITHIN_S + 3.0


def run_lines(
    settings: Mapping[str, Settings],
    *,
    settings_file: Path,
    load: Callable[[str], Settings],
    describe: Callable[[Exception], str],
    configure_logging: Callable[[LoggingSection], None],
) -> int:
    """Run the model lines until SIGTERM or SIGINT, once logging is set up; return the exit status.

    A line that fails is started again after a while; the others go on. ``load`` reads the settings of a line, at SIGHUP and
    before it is started again; ``describe`` says an error in one sentence, without secrets. Raises CannotListen.
    """
    relax_garbage_collector()
    http = next(iter(settings.values())).http  # it is the same for all
    with reload_on_hangup() as requests:
        lines = [
            SupervisedLine(
                each,
                ReloadSource(
                    requests=requests,
                    load=lambda name=name: load(name),  # type: ignore[misc]
                    configure_logging=configure_logging,
                ),
                describe=describe,
                clock=time.monotonic,
            )
            for name, each in settings.items()
        ]
        server = HttpServer(
            http,
            MetricsOfLines(lambda: [line.metrics for line in lines]),
            LinesProbes({line.name: line.live for line in lines}, {line.name: line.ready for line in lines}),
            reports=ReportSources(lines={line.name: line.reports for line in lines}),
        )
        with stop_on_signals() as stop, server:
            _log.info(
                "%s are running: settings %s, address http://%s:%d",
                ", ".join(settings),
                settings_file.absolute(),
                bracketed(server.host),
                server.port,
                extra={"action": "start"},
            )
            _run_until(stop, lines)
    _log.info("stopped", extra={"action": "stop"})
    return 0


def _run_until(stop: Event, lines: Sequence[SupervisedLine]) -> None:
    """Run each line in a thread of its own until ``stop``, then wait until all have closed what they hold."""
    threads = [Thread(target=line.run, args=(stop,), name=f"line-{line.name}", daemon=True) for line in lines]
    for thread in threads:
        thread.start()
    stop.wait()
    deadline = time.monotonic() + _STOP_WITHIN_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            _log.error("%s has not ended in time", thread.name, extra={"action": "stop"})
