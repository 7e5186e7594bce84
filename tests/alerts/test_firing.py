"""A real Prometheus evaluates the rules on what it scrapes from a real exposition."""

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.config.settings import HttpSection
from daemon.domain.halts import HaltKind
from daemon.http.health import Health
from daemon.http.server import HttpServer
from daemon.telemetry.metrics import Metrics
from tests.alerts.promtool import ALERTS, RECORDINGS
from tests.servers.prometheus_server import running_prometheus
from tests.support.helpers import eventually


class Watched:
    """The metrics of a daemon, and the Prometheus that scrapes them and evaluates the rules."""

    def __init__(self, metrics: Metrics, address: str) -> None:
        self.metrics = metrics
        self._address = address

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that fire."""
        self.metrics.process.iteration.observe(0.2)
        with urllib.request.urlopen(f"http://{self._address}/api/v1/alerts", timeout=5) as response:
            found = json.load(response)["data"]["alerts"]
        return [alert for alert in found if alert["state"] == "firing"]

    def firing(self) -> list[str]:
        return [alert["labels"]["alertname"] for alert in self.alerts()]


def _at_once(file: Path, folder: Path) -> Path:
    """A copy of rules in which no alert waits."""
    copy = folder / file.name
    copy.write_text(
        re.sub(r"^ +for: .*\n", "", file.read_text("utf-8"), flags=re.MULTILINE), encoding="utf-8"
    )
    return copy


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    metrics = Metrics("chat")
    metrics.process.leader.set(1)
    metrics.process.line_up.set(1)
    rules = [_at_once(file, tmp_path) for file in (ALERTS, RECORDINGS)]
    with (
        HttpServer(HttpSection(port=0), metrics, Health(clock=lambda: 0.0)) as daemon,
        running_prometheus(tmp_path, [daemon.port], rules=rules) as prometheus,
    ):
        yield Watched(metrics, prometheus.address)


def test_a_halt_of_intake_fires_and_ends_with_it(watched: Watched) -> None:
    watched.metrics.intake.halted.replace({(HaltKind.OFFSET_LOST,): 1.0})
    assert eventually(lambda: watched.firing() == ["RetunedIntakeHalted"], deadline_s=60)

    [alert] = watched.alerts()
    assert (
        alert["labels"].items()
        >= {"model_line": "chat", "reason": "offset_lost", "severity": "critical"}.items()
    )
    summary = "Intake of chat is halted and waits for an operator: offset_lost."
    assert alert["annotations"]["summary"] == summary
    assert alert["annotations"]["runbook_url"].endswith("/runbook.md#retunedintakehalted")
    assert alert["annotations"]["dashboard_url"].endswith("/d/retuned-intake?var-model_line=chat")

    watched.metrics.intake.halted.replace({(HaltKind.OFFSET_LOST,): 0.0})
    assert eventually(lambda: watched.firing() == [], deadline_s=60)
