"""Asks a Prometheus server what a panel asks."""

import json
import math
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TIMEOUT_S = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A time that a dashboard shows, in Unix time and seconds."""

    start: float
    end: float
    step_s: int = 1
    scrape_s: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """What a query gave: finite values over time, under the name that the panel's legend gives it."""

    name: str
    labels: Mapping[str, str]
    times: tuple[float, ...]
    values: tuple[float, ...]


class Prometheus:
    """A server that answers queries."""

    def __init__(self, address: str) -> None:
        """``address`` is host and port."""
        self.address = address

    def ask(self, target: Mapping[str, Any], span: Span, *, throughout: bool = False) -> list[Series]:
        """Return what a panel's target gives over a time, or at its end if it is an instant query.

        ``throughout``: over the time in either case. Raises OSError where the server does not answer or refuses the query.
        """
        expression = _filled(target["expr"], span)
        if target.get("instant") and not throughout:
            found = self._get("query", {"query": expression, "time": span.end})
        else:
            times = {"start": span.start, "end": span.end, "step": span.step_s}
            found = self._get("query_range", {"query": expression, **times})
        return [series for one in found if (series := _series(target["legendFormat"], one)).values]

    def value(self, expression: str) -> float | None:
        """Return the value of a query's one series now; None while there is none."""
        found = self._get("query", {"query": expression})
        return float(found[0]["value"][1]) if found else None

    def _get(self, path: str, arguments: Mapping[str, object]) -> Sequence[Mapping[str, Any]]:
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            found: Sequence[Mapping[str, Any]] = json.load(answer)["data"]["result"]
            return found


def _filled(expression: str, span: Span) -> str:
    """Return a query with Grafana's variables filled in, for all lines and instances."""
    rate_s = max(span.step_s + span.scrape_s, 4 * span.scrape_s)
    values = {
        "$model_line": ".*",
        "$instance": ".*",
        "$__rate_interval": f"{rate_s}s",
        "$__range": f"{math.ceil(span.end - span.start)}s",
    }
    for variable, value in values.items():
        expression = expression.replace(variable, value)
    return expression


def _series(legend: str, found: Mapping[str, Any]) -> Series:
    points = found["values"] if "values" in found else [found["value"]]
    finite = [(float(at), float(value)) for at, value in points if math.isfinite(float(value))]
    labels = found["metric"]
    name = legend
    for label, value in labels.items():
        name = name.replace(f"{{{{{label}}}}}", value)
    return Series(
        name=name,
        labels=labels,
        times=tuple(at for at, _ in finite),
        values=tuple(value for _, value in finite),
    )
