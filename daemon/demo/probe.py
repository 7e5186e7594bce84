"""Asks the daemon's metrics which version is live, as Prometheus would."""

import http.client
import re
import socket

_TIMEOUT_S = 2.0
_LIVE = re.compile(r'^retuned_live_version_info\{[^}]*version="([^"]+)"[^}]*\} 1', re.MULTILINE)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def live_in_metrics(port: int) -> str | None:
    """Return the version that the metrics show as live; None while nobody answers."""
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
    found = _LIVE.search(exposition)
    return found.group(1) if found else None
