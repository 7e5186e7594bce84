"""Several model lines in one daemon, installed with the chart."""

from pathlib import Path

import pytest
import yaml

from daemon.config.loader import load_lines
from deploy.helm.values import CHART
from tests.support.chart import Manifest, config_files, daemon_pod, of_kind, only, rendered, variables

LINES = {
    "support": {
        "kafka": {"topic": "support"},
        "learning": {"where": "kubernetes"},
        "kubernetes": {"kind": "trainjob"},
    },
    "sales": {
        "kafka": {"topic": "sales", "bootstrap_servers": ["other:9095"], "group_id": "mine"},
        "teacher": {"url": "https://teacher.example.com/v1", "model": "m"},
    },
}


@pytest.fixture
def manifests(tmp_path: Path) -> list[Manifest]:
    """What the chart makes of replicas with two lines, which name themselves."""
    values = yaml.safe_load((CHART / "values-replicated.yaml").read_text("utf-8"))
    del values["config"]["model_line"]
    values["config"]["lines"] = LINES
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values), "utf-8")
    return rendered(None, "autoscaling.enabled=true", files=[file])


def test_the_daemon_reads_each_line(manifests: list[Manifest], tmp_path: Path) -> None:
    file = tmp_path / "retuned.yaml"
    file.write_text(config_files(manifests)["retuned.yaml"], "utf-8")

    lines = load_lines(file, variables(daemon_pod(manifests)["containers"][0]))

    assert lines.keys() == {"support", "sales"}
    assert lines["support"].kubernetes.job_template == Path("/etc/retuned/job-template.yaml")
    assert {line.holdout.key_file for line in lines.values()} == {
        Path("/run/retuned/secrets/retuned-holdout/holdout.key")
    }


def test_rights_and_network_are_those_that_any_line_needs(manifests: list[Manifest]) -> None:
    policy = only(manifests, "NetworkPolicy", "retuned")
    ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}

    assert ports == {53, 9093, 9095, 5432, 443, 6443}
    groups = {group for rule in only(manifests, "Role")["rules"] for group in rule["apiGroups"]}
    assert "trainer.kubeflow.org" in groups
    assert "job-template.yaml" in config_files(manifests)


def test_replicas_are_added_for_the_lag_of_any_line(manifests: list[Manifest], tmp_path: Path) -> None:
    file = tmp_path / "retuned.yaml"
    file.write_text(config_files(manifests)["retuned.yaml"], "utf-8")
    lines = load_lines(file, variables(daemon_pod(manifests)["containers"][0]))
    (scaler,) = of_kind(manifests, "ScaledObject")

    triggers = [trigger["metadata"] for trigger in scaler["spec"]["triggers"]]
    assert {(each["topic"], each["consumerGroup"]) for each in triggers} == {
        (line.kafka.topic, line.kafka.group_id) for line in lines.values()
    }
