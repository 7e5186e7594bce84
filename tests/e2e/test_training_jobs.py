"""Trainings as Jobs: a real daemon, an API server of our own, and a node that runs the pod's command as a process."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.intake.replay import encode_record
from tests.e2e.daemon_process import DaemonProcess
from tests.e2e.regimes import small_talk
from tests.e2e.stream import Stream
from tests.e2e.test_closed_loop import a_daemon, status
from tests.fakes.kubelet import Kubelet
from tests.servers.brokers import Broker
from tests.servers.kubernetes_server import KubernetesServer
from tests.support.helpers import eventually

pytestmark = pytest.mark.timeout(400)

CONVERSATIONS = 300


@pytest.fixture
def server() -> Iterator[KubernetesServer]:
    with KubernetesServer() as server:
        yield server


@pytest.fixture
def daemon(
    server: KubernetesServer, broker: Broker, tiny_model: Path, tmp_path: Path
) -> Iterator[DaemonProcess]:
    template = {"spec": {"containers": [{
        "name": "trainer", "image": "retuned:here", "command": [sys.executable, "-m", "daemon"],
        "env": [
            {"name": "PYTHONPATH", "value": os.pathsep.join(filter(None, sys.path))},
            {"name": "OMP_WAIT_POLICY", "value": "PASSIVE"},
        ],
    }]}}  # fmt: skip
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(template), encoding="utf-8")
    stream = Stream(broker, f"jobs-{time.monotonic_ns()}")
    sections = {
        "artifacts_url": (tmp_path / "store").as_uri(),
        "learning": {"where": "kubernetes", "rank": 8, "learning_rate": 1e-2, "epochs": 2},
        "kubernetes": {
            "job_template": str(tmp_path / "job.yaml"),
            "kubeconfig": str(server.kubeconfig(tmp_path)),
            "shared_artifacts": True,
        },
    }
    with a_daemon(stream, broker, tiny_model, tmp_path, **sections) as running:  # type: ignore[arg-type]
        stream.send(*(encode_record(conversation) for conversation in small_talk(CONVERSATIONS, seed=1)))
        counted = 'retuned_conversations_total{split="train"}'
        eventually(lambda: (running.metric(counted) or 0) > 0, deadline_s=60)
        yield running


def run_of(daemon: DaemonProcess) -> dict[str, Any]:
    return status(daemon)["run"] or {}


def job_of(daemon: DaemonProcess) -> dict[str, Any]:
    job: dict[str, Any] = (run_of(daemon).get("progress") or {}).get("job") or {}
    return job


def test_a_job_trains_and_the_loop_registers_its_version_though_the_daemon_died(
    daemon: DaemonProcess, server: KubernetesServer, tmp_path: Path
) -> None:
    daemon.retuned("train", "-m", "to see it train in a Job")
    eventually(lambda: job_of(daemon).get("state") == "waiting", deadline_s=60)
    assert job_of(daemon)["name"].startswith("retuned-")
    daemon.kill()

    with Kubelet(server.cluster, tmp_path / "pods") as node:
        daemon.start()
        eventually(lambda: run_of(daemon).get("state") == "finished", deadline_s=240)

        version = daemon.retuned("show", "v1")["version"]
        assert version["run"] == "r1"
        assert len(node.started) == 1
        assert daemon.stop() == 0


def test_a_cancelled_training_takes_its_pod_with_it(
    daemon: DaemonProcess, server: KubernetesServer, tmp_path: Path
) -> None:
    with Kubelet(server.cluster, tmp_path / "pods") as node:
        daemon.retuned("train", "-m", "to cancel it")
        eventually(lambda: job_of(daemon).get("state") == "running", deadline_s=120)

        daemon.retuned("cancel", "-m", "seen enough")

        eventually(lambda: run_of(daemon).get("state") == "cancelled", deadline_s=30)
        eventually(lambda: server.cluster.list_all("pods")[0] == [], deadline_s=30)
        assert len(node.started) == 1
        assert daemon.stop() == 0
