"""Asks the daemon over HTTP, as a supervisor and Prometheus do."""

import http.client
import re
import socket

_TIMEOUT_S = 2.0
_LIVE = re.compile(r'^retuned_live_version_info\{[^}]*version="([^"]+)"[^}]*\} 1', re.MULTILINE)
_LAG = re.compile(r"^retuned_consumer_lag_records\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ready(port: int) -> bool:
    """Whether the daemon is ready."""
    return _get(port, "/readyz") is not None


def metrics(port: int) -> str:
    """Return the text of all metrics; empty where nobody answers."""
    return _get(port, "/metrics") or ""


def live_version(exposition: str) -> str | None:
    """Return the version that the metrics show as live."""
    found = _LIVE.search(exposition)
    return found.group(1) if found else None


def lag(exposition: str) -> int | None:
    """Return the records that are not read yet, over all partitions; None while it is not known."""
    found = _LAG.findall(exposition)
    return int(sum(float(value) for value in found)) if found else None


def _get(port: int, path: str) -> str | None:
    """Return the body of a 200, None for everything else."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        status, body = answer.status, answer.read().decode("utf-8", errors="replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return body if status == http.HTTPStatus.OK else None
