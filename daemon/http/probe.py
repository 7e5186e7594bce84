"""Asks a daemon about its health through its HTTP port."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

from daemon.config.addresses import bracketed
from daemon.config.reloading import ReloadReport
from daemon.config.settings import HttpSection
from daemon.http.health import RELOAD_REPORT

_LAG, _LIVE = "retuned_consumer_lag_records", "retuned_live_version_info"
_STATUSES = ("ready", "not ready")
#: The address that reaches a daemon which listens on all of them.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104

#: Ignores the proxy that the environment names: the daemon is local.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, kw_only=True, slots=True)
class DaemonHealth:
    """What the daemon answered."""

    url: str
    running: bool  # False when this line's daemon does not run or can't be reached
    ready: bool = False
    problems: Mapping[str, str] = field(default_factory=dict)  # why it isn't ready, by component
    notes: tuple[str, ...] = ()  # what operators should know of it, ready or not
    reload: ReloadReport | None = (
        None  # what its latest reading of the settings did; None: only the start read them
    )
    lag: int | None = None  # records not yet read; None when unknown
    live: str | None = None  # the version that it follows; None when unknown
    other: str | None = None  # who answers there instead: another program, or another line's daemon

    @property
    def absence(self) -> str:
        """Who answers instead of this line's daemon, as the beginning of a sentence. Only where it does not run."""
        return f"{self.other or 'no daemon'} answers at {self.url}"

    def until_start(self, does: str) -> str:
        """Say that nothing happens before the next start, and what it ``does``. Only where the daemon does not run."""
        return f"{self.absence[0].upper()}{self.absence[1:]}; the next start {does}."


def probe(http: HttpSection, *, model_line: str | None = None, timeout_s: float = 0.5) -> DaemonHealth:
    """Ask the daemon at this address. Never fails, and takes about twice ``timeout_s`` at most.

    A daemon of another line than ``model_line``, and any other program, is named and is not called running.
    """
    host = bracketed(_EVERYWHERE.get(http.host, http.host)).replace("%", "%25")  # of an IPv6 zone
    url = f"http://{host}:{http.port}"
    answer = _get(f"{url}/readyz", timeout_s)
    if answer is None:
        return DaemonHealth(url=url, running=False)
    status, body = answer
    other = _other(body, model_line)
    if other is not None:
        return DaemonHealth(url=url, running=False, other=other)
    metrics = _get(f"{url}/metrics", timeout_s)
    return DaemonHealth(
        url=url,
        running=True,
        ready=status == 200,
        problems=_problems(body),
        notes=_notes(body),
        reload=_reload(body),
        lag=_lag(metrics[1]) if metrics else None,
        live=_live(metrics[1]) if metrics else None,
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


def _other(body: str, model_line: str | None) -> str | None:
    """Return who gave an answer of ``/readyz``; None for the daemon that was asked for."""
    try:
        found = json.loads(body)
    except ValueError:
        return "another program"
    if not isinstance(found, dict) or found.get("status") not in _STATUSES:
        return "another program"
    line = found.get("model_line", model_line)  # a daemon of an earlier release does not say
    if model_line is not None and line != model_line:
        return f"another daemon (line {line})"
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


def _reload(body: str) -> ReloadReport | None:
    try:
        return RELOAD_REPORT.validate_python(json.loads(body).get("reload"))
    except (ValueError, AttributeError):
        return None


def _lag(exposition: str) -> int | None:
    from daemon.telemetry.exposition import read_samples

    try:
        samples = read_samples(exposition, _LAG)
        return sum(int(sample.value) for sample in samples) if samples else None
    except ValueError:
        return None


def _live(exposition: str) -> str | None:
    from daemon.telemetry.exposition import read_samples

    try:
        return next((sample.labels.get("version") for sample in read_samples(exposition, _LIVE)), None)
    except ValueError:
        return None
