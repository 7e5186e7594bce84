"""Checks how long the certificates that the settings name are valid."""

from collections.abc import Iterator

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.settings import Settings
from daemon.domain.clock import utc_now
from daemon.views.certificates import certificates


def check_certificates(settings: Settings) -> Iterator[Check]:
    """Check each certificate; one that expires within two weeks fails."""
    now = utc_now()
    for each in certificates(settings, now):
        if each.expires_soon(now):
            yield failed("certificate", each.words(now), "put a renewed certificate into that file")
        else:
            yield passed("certificate", each.words(now))
