"""The HTTP pages of a daemon with several model lines."""

import json
from typing import Any

import pytest

from daemon.config.settings import HttpSection
from daemon.http.health import Answer, Health
from daemon.http.lines_probes import LinesProbes
from daemon.http.probe import probe
from daemon.http.served import LineReports, ReportSources
from daemon.http.server import HttpServer
from daemon.telemetry.exposition import read_samples
from daemon.telemetry.metrics import Metrics, MetricsOfLines
from registry.names import VersionName


def probes(**ready: bool) -> LinesProbes:
    """Lines that are ready, or not."""
    found = {}
    for name, ok in ready.items():
        health = Health(clock=lambda: 0.0, components=(), model_line=name)
        failed = Answer(ok=False, body={"status": "not ready", "problems": {"line": "no such base"}})
        found[name] = health.ready if ok else lambda failed=failed: failed
    live = {name: Health(clock=lambda: 0.0).live for name in ready}
    return LinesProbes(live, found)


def metrics_of(*names: str) -> list[Metrics]:
    found = [Metrics(name) for name in names]
    for name, each in zip(names, found, strict=True):
        each.release.live_is(VersionName(name, 3))
    return found


@pytest.mark.parametrize(
    ("ready", "ok"),
    [
        ({"chat": True, "sales": True}, True),
        ({"chat": True, "sales": False}, True),
        ({"chat": False, "sales": False}, False),
    ],
)
def test_the_daemon_is_ready_while_a_line_is(ready: dict[str, bool], ok: bool) -> None:
    answer = probes(**ready).ready()

    assert answer.ok is ok
    lines: Any = answer.body["lines"]
    assert {name: found["status"] == "ready" for name, found in lines.items()} == ready


def test_a_line_that_hangs_fails_the_liveness() -> None:
    now = 0.0
    hanging, turning = Health(clock=lambda: now), Health(clock=lambda: now)
    both = LinesProbes({"chat": hanging.live, "sales": turning.live}, {})
    assert both.live().ok

    now = 1_000.0
    turning.beat()

    assert not both.live().ok
    assert both.live().body["status"] == "stalled"


def test_each_metric_stands_once_with_the_samples_of_all_lines() -> None:
    page = MetricsOfLines(lambda: metrics_of("chat", "sales"))

    text = page.exposition("")[1].decode()

    assert text.count("# HELP retuned_leader ") == text.count("# TYPE retuned_leader ") == 1
    assert [each.labels for each in read_samples(text, "retuned_leader")] == [
        {"model_line": "chat"},
        {"model_line": "sales"},
    ]
    assert text.count("\nprocess_cpu_seconds_total ") == 1


def test_a_probe_asks_about_its_line_alone() -> None:
    page = MetricsOfLines(lambda: metrics_of("chat", "sales"))
    with HttpServer(HttpSection(port=0), page, probes(chat=True, sales=False)) as server:
        section = HttpSection(port=server.port)
        found = {name: probe(section, model_line=name, timeout_s=10) for name in ("chat", "sales", "other")}

    assert (found["chat"].ready, found["chat"].live) == (True, "chat-v3")
    assert (found["sales"].running, found["sales"].ready) == (True, False)
    assert found["sales"].problems == {"line": "no such base"}
    assert found["sales"].live == "sales-v3"
    assert found["other"].running is False
    assert found["other"].other == "another daemon (lines chat, sales)"


class NoReports:
    """The ledger of a line without reports."""

    def newest_first(self) -> list[object]:
        return []

    def html(self, window: int) -> None:
        return None


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/reports", 200, "/lines/sales/reports"),
        ("/lines/chat/reports", 200, "reports"),
        ("/lines/chat/reports/3", 404, "no report"),
        ("/lines/sales/reports", 503, "does not run"),
        ("/lines/other/reports", 404, "no such page"),
        ("/reports/3", 404, "no such page"),
        ("/lines/chat", 404, "no such page"),
    ],
)
def test_reports_are_each_line_s_own(path: str, status: int, said: str) -> None:
    ledger: Any = NoReports()
    sources = ReportSources(lines={"chat": lambda: LineReports(ledger=ledger), "sales": lambda: None})
    with HttpServer(HttpSection(port=0), Metrics(), probes(chat=True), reports=sources) as server:
        answered = get(server.port, path)

    assert answered[0] == status
    assert said in json.dumps(answered[1])


def get(port: int, path: str) -> tuple[int, Any]:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()
