"""Asks a daemon about its health through its HTTP port."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from daemon.config.addresses import bracketed
from daemon.config.reloading import ReloadReport
from daemon.config.settings import HttpSection
from daemon.http.health import RELOAD_REPORT

if TYPE_CHECKING:
    from daemon.telemetry.exposition import Sample

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
    body = _parsed(answer)
    other = _other(body, model_line)
    if other is not None:
        return DaemonHealth(url=url, running=False, other=other)
    state = _of_line(body, model_line)
    metrics = _get(f"{url}/metrics", timeout_s) or ""
    return DaemonHealth(
        url=url,
        running=True,
        ready=state.get("status") == "ready",
        problems=_problems(state),
        notes=_notes(state),
        reload=_reload(state),
        lag=_lag(metrics, model_line),
        live=_live(metrics, model_line),
    )


def _get(url: str, timeout_s: float) -> str | None:
    """Return the body of an answer, also of a refusal; None where nobody answers."""
    try:
        with _DIRECT.open(url, timeout=timeout_s) as response:
            return str(response.read().decode(errors="replace"))
    except urllib.error.HTTPError as refused:
        with refused:
            return str(refused.read().decode(errors="replace"))
    except (OSError, ValueError):
        return None


def _parsed(body: str) -> Mapping[str, Any]:
    """Return the JSON object of an answer; an empty one for any other answer."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _other(body: Mapping[str, Any], model_line: str | None) -> str | None:
    """Return who gave an answer of ``/readyz``; None for the daemon that was asked for."""
    if body.get("status") not in _STATUSES:
        return "another program"
    lines = body.get("lines")
    if isinstance(lines, dict):
        unknown = model_line is not None and model_line not in lines
        return f"another daemon (lines {', '.join(map(str, lines))})" if unknown else None
    line = body.get("model_line", model_line)  # a daemon of an earlier release does not say
    if model_line is not None and line != model_line:
        return f"another daemon (line {line})"
    return None


def _of_line(body: Mapping[str, Any], model_line: str | None) -> Mapping[str, Any]:
    """Return what a daemon of several lines says of one; of all, where none is named or it has only one."""
    lines = body.get("lines")
    found = lines.get(model_line) if isinstance(lines, dict) else None
    return found if isinstance(found, dict) else body


def _problems(state: Mapping[str, Any]) -> dict[str, str]:
    found = state.get("problems")
    return {str(name): str(problem) for name, problem in found.items()} if isinstance(found, dict) else {}


def _notes(state: Mapping[str, Any]) -> tuple[str, ...]:
    found = state.get("notes")
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _reload(state: Mapping[str, Any]) -> ReloadReport | None:
    try:
        return RELOAD_REPORT.validate_python(state.get("reload"))
    except ValueError:
        return None


def _samples(exposition: str, name: str, model_line: str | None) -> "list[Sample]":
    """Return the samples of a metric of one line. A daemon of an earlier release does not say the line."""
    from daemon.telemetry.exposition import read_samples

    try:
        found = read_samples(exposition, name)
    except ValueError:
        return []
    return [each for each in found if model_line in (None, each.labels.get("model_line", model_line))]


def _lag(exposition: str, model_line: str | None) -> int | None:
    samples = _samples(exposition, _LAG, model_line)
    return sum(int(sample.value) for sample in samples) if samples else None


def _live(exposition: str, model_line: str | None) -> str | None:
    samples = _samples(exposition, _LIVE, model_line)
    return next((sample.labels.get("version") for sample in samples), None)
