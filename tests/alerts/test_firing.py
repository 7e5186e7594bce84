"""A real Prometheus evaluates the rules on what it scrapes from a real exposition."""

import json
import re
import socket
import subprocess
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
from tests.alerts.promtool import ALERTS, RECORDINGS, REMEDY
from tests.support.helpers import eventually, required_program


class Watched:
    """The metrics of a daemon, and the Prometheus that scrapes them every second and evaluates the rules as often."""

    def __init__(self, metrics: Metrics, address: str) -> None:
        self.metrics = metrics
        self._address = address

    def answers(self) -> bool:
        try:
            return bool(self.alerts() is not None)
        except OSError:
            return False

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that fire."""
        self.metrics.process.iteration.observe(0.2)
        with urllib.request.urlopen(f"http://{self._address}/api/v1/alerts", timeout=5) as response:
            found = json.load(response)["data"]["alerts"]
        return [alert for alert in found if alert["state"] == "firing"]

    def firing(self) -> list[str]:
        return [alert["labels"]["alertname"] for alert in self.alerts()]


def _at_once(rules: str) -> str:
    """The rules without the time that an alert waits."""
    return re.sub(r"^ +for: .*\n", "", rules, flags=re.MULTILINE)


def _config(folder: Path, port: int) -> Path:
    rules = []
    for file in (ALERTS, RECORDINGS):
        rules.append(folder / file.name)
        rules[-1].write_text(_at_once(file.read_text("utf-8")), encoding="utf-8")
    config = folder / "prometheus.yml"
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                "rule_files": list(map(str, rules)),
                "scrape_configs": [
                    {"job_name": "retuned", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
                ],
            }
        )
    )
    return config


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    program = required_program("prometheus", REMEDY)
    metrics = Metrics("chat")
    metrics.process.leader.set(1)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with HttpServer(HttpSection(port=0), metrics, Health(clock=lambda: 0.0)) as daemon:
        command = [
            str(program),
            f"--config.file={_config(tmp_path, daemon.port)}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address={address}",
        ]
        log = tmp_path / "log"
        with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
            try:
                watched = Watched(metrics, address)
                eventually(lambda: server.poll() is not None or watched.answers(), deadline_s=60)
                assert server.poll() is None, log.read_text()
                yield watched
            finally:
                server.terminate()


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
