"""Alertmanager's example of routes: who is told of what, and what is kept back."""

import json
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.alerts.promtool import ROOT, alerts
from tests.support.helpers import eventually, required_program

ROUTES = ROOT / "deploy" / "prometheus" / "alertmanager.yaml"
REMEDY = "install it: apt-get install --no-install-recommends prometheus-alertmanager"


def amtool(*arguments: str) -> str:
    program = required_program("amtool", REMEDY)
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_amtool_finds_no_fault() -> None:
    assert "SUCCESS" in amtool("check-config", str(ROUTES))


@pytest.mark.parametrize(
    ("severity", "receiver"), [("critical", "pager"), ("warning", "tickets"), ("info", "notes")]
)
def test_an_alert_goes_where_its_severity_says(severity: str, receiver: str) -> None:
    assert severity in {rule["labels"]["severity"] for rule in alerts().values()}
    labels = ("alertname=RetunedX", f"severity={severity}", "model_line=chat")

    assert amtool("config", "routes", "test", f"--config.file={ROUTES}", *labels).strip() == receiver


def test_what_inhibits_and_is_inhibited_exists() -> None:
    matchers = [
        matcher
        for rule in yaml.safe_load(ROUTES.read_text(encoding="utf-8"))["inhibit_rules"]
        for matcher in rule["source_matchers"] + rule["target_matchers"]
    ]
    named = {
        name
        for matcher in matchers
        if matcher.startswith("alertname")
        for name in matcher.split('"')[1].split("|")
        if not name.endswith("*")
    }

    assert named <= alerts().keys()
    assert len(named) > 4


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """The address of an Alertmanager with the example's routes."""
    program = required_program("prometheus-alertmanager", REMEDY)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        str(program),
        f"--config.file={ROUTES}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    log = tmp_path / "log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
        try:
            eventually(lambda: server.poll() is not None or answers(address), deadline_s=30)
            assert server.poll() is None, log.read_text()
            yield address
        finally:
            server.terminate()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/-/ready", timeout=2):
            return True
    except OSError:
        return False


def raised(address: str, name: str, line: str) -> None:
    """Have Alertmanager know an alert."""
    labels = (f"alertname={name}", f"severity={alerts()[name]['labels']['severity']}", f"model_line={line}")
    amtool(f"--alertmanager.url=http://{address}", "alert", "add", *labels)


def inhibited(address: str) -> set[tuple[str, str]]:
    """The alerts that are kept back, each with its line."""
    with urllib.request.urlopen(f"http://{address}/api/v2/alerts", timeout=2) as response:
        found = json.load(response)
    return {
        (each["labels"]["alertname"], each["labels"]["model_line"])
        for each in found
        if each["status"]["inhibitedBy"]
    }


def test_what_pages_keeps_back_the_tickets_of_its_line_and_of_no_other(alertmanager: str) -> None:
    for name, line in (
        ("RetunedIntakeHalted", "chat"),
        ("RetunedIntakeStuck", "chat"),
        ("RetunedFeedbackSilent", "chat"),
        ("RetunedFeedbackSilent", "sales"),
    ):
        raised(alertmanager, name, line)

    expected = {("RetunedIntakeStuck", "chat"), ("RetunedFeedbackSilent", "chat")}
    assert eventually(lambda: inhibited(alertmanager) == expected)


def test_where_no_daemon_runs_all_else_is_kept_back(alertmanager: str) -> None:
    for name in ("RetunedDown", "RetunedNoLeader", "RetunedHeld"):
        raised(alertmanager, name, "chat")

    expected = {("RetunedNoLeader", "chat"), ("RetunedHeld", "chat")}
    assert eventually(lambda: inhibited(alertmanager) == expected)
