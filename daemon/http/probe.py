"""Asks a daemon about its health through its HTTP port."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

from daemon.config.addresses import bracketed
from daemon.config.settings import HttpSection

_LAG = "retuned_consumer_lag_records"
#: The address that reaches a daemon which listens on all of them.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104

#: Ignores the proxy that the environment names: the daemon is local.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, kw_only=True, slots=True)
class DaemonHealth:
    """What the daemon answered."""

    url: str
    running: bool  # False when the daemon does not run or can't be reached
    ready: bool = False
    problems: Mapping[str, str] = field(default_factory=dict)  # why it isn't ready, by component
    notes: tuple[str, ...] = ()  # what operators should know of it, ready or not
    lag: int | None = None  # records not yet read; None when unknown


def probe(http: HttpSection, *, timeout_s: float = 0.5) -> DaemonHealth:
    """Ask the daemon at this address. Never fails, and takes about twice ``timeout_s`` at most."""
    host = bracketed(_EVERYWHERE.get(http.host, http.host)).replace("%", "%25")  # of an IPv6 zone
    url = f"http://{host}:{http.port}"
    answer = _get(f"{url}/readyz", timeout_s)
    if answer is None:
        return DaemonHealth(url=url, running=False)
    status, body = answer
    metrics = _get(f"{url}/metrics", timeout_s)
    return DaemonHealth(
        url=url,
        running=True,
        ready=status == 200,
        problems=_problems(body),
        notes=_notes(body),
        lag=_lag(metrics[1]) if metrics else None,
    )


def _get(url: str, timeout_s: float) -> tuple[int, str] | None:
    try:
        with _DIRECT.open(url, timeout=timeout_s) as response:
            return response.status, response.read().decode(errors="replace")
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode(errors="replace")
    except (OSError, ValueError):
        return None


def _problems(body: str) -> dict[str, str]:
    try:
        found = json.loads(body).get("problems", {})
        return {str(name): str(problem) for name, problem in found.items()}
    except (ValueError, AttributeError):
        return {}


def _notes(body: str) -> tuple[str, ...]:
    try:
        return tuple(map(str, json.loads(body).get("notes", ())))
    except (ValueError, AttributeError, TypeError):
        return ()


def _lag(exposition: str) -> int | None:
    from daemon.telemetry.exposition import read_samples

    try:
        samples = read_samples(exposition, _LAG)
        return sum(int(sample.value) for sample in samples) if samples else None
    except ValueError:
        return None
