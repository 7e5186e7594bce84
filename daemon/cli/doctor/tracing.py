"""Checks that the collector of traces takes some."""

from collections.abc import Iterator

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.settings import Settings

_TIMEOUT_S = 5.0
_REMEDY = (
    "correct tracing.endpoint or tracing.headers_file, or repair the collector; the daemon works without it"
)


def check_tracing(settings: Settings) -> Iterator[Check]:
    """Send no spans to the collector, which it accepts where it would accept some."""
    tracing = settings.tracing
    if tracing.endpoint is None:
        return
    from requests import RequestException

    from daemon.telemetry.otlp import session_of, traces_url

    url = traces_url(tracing.endpoint)
    try:
        with session_of(tracing) as session:
            answer = session.post(
                url,
                data=b"",
                headers={"Content-Type": "application/x-protobuf"},
                timeout=_TIMEOUT_S,
                verify=True if tracing.ca_file is None else str(tracing.ca_file),
                allow_redirects=False,
            )
    except (RequestException, OSError) as error:
        yield failed("tracing", f"{url} does not answer: {type(error).__name__}", _REMEDY)
        return
    if answer.ok:
        yield passed("tracing", f"{url} takes traces")
    else:
        yield failed("tracing", f"{url} answers with status {answer.status_code}", _REMEDY)
