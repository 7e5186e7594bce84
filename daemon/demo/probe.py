"""Asks the daemon's metrics which version is live, as Prometheus would."""

import http.client
import socket

from daemon.telemetry.exposition import read_samples

_TIMEOUT_S = 2.0
_LIVE = "retuned_live_version_info"


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def live_in_metrics(port: int) -> str | None:
    """Return the version that the metrics show as live; None when the daemon does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        exposition = connection.getresponse().read().decode("utf-8", errors="replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return live_version(exposition)


def live_version(exposition: str) -> str | None:
    """Return the version that a text of metrics shows as live."""
    live = [sample for sample in read_samples(exposition, _LIVE) if sample.value == 1]
    return str(live[0].labels["version"]) if live else None
