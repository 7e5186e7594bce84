"""Checks which settings the running daemon uses."""

from collections.abc import Iterator

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.settings import Settings
from daemon.http.probe import probe


def check_reload(settings: Settings) -> Iterator[Check]:
    """Say what the daemon's latest reading of the settings did; nothing where only its start read them."""
    report = probe(settings.http, model_line=settings.model_line).reload
    if report is None:
        return
    if report.mistakes:
        yield failed("reload", report.sentence, "correct the file and send the daemon SIGHUP again")
    else:
        yield passed("reload", report.sentence)
