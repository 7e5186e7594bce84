"""Trainings on a cluster: settings, a template, a request, and what becomes of pods."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from daemon.config.settings import Settings
from daemon.jobs.files import JobFiles
from daemon.jobs.request import JobRequest, portable
from learners.types import LoraSettings, Progress, RunResult, TrainRequest
from tests.factories.registry import an_artifact

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app.kubernetes.io/component": "training"}},
    "spec": {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "trainer",
                "image": "registry.example.com/retuned:1",
                "resources": {"requests": {"cpu": "1"}, "limits": {"nvidia.com/gpu": "1"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
        "nodeSelector": {"gpu": "yes"},
    },
}
PROGRESS = Progress(
    phase="training", step=3, steps=10, loss=1.5, learning_rate=1e-4, tokens=900, tokens_per_s=300.0,
    seconds_left=7.0, rss_bytes=1,
)  # fmt: skip


def write_template(folder: Path, **trainer: object) -> Path:
    """Write the template of a Job; ``trainer`` changes its container."""
    [container] = TEMPLATE["spec"]["containers"]
    document = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "containers": [{**container, **trainer}]}}
    file = folder / "job-template.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


def cluster_settings(folder: Path, kubeconfig: Path, **kubernetes: object) -> Settings:
    """Settings of a line that trains on a cluster, with its artifact store in a folder."""
    return Settings.model_validate(
        {
            "model_line": "support",
            "model": {"base": "tiny"},
            "state_dir": folder / "state",
            "artifacts_url": (folder / "store").as_uri(),
            "learning": {"where": "kubernetes"},
            "kubernetes": {
                "job_template": folder / "job-template.yaml",
                "kubeconfig": kubeconfig,
                "shared_artifacts": True,
                **kubernetes,
            },
        }
    )


def a_request(folder: Path, run: str = "r1") -> TrainRequest:
    """A training request with its training file in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data.jsonl"
    data.write_text('{"id": "c1"}\n', encoding="utf-8")
    return TrainRequest(
        run=run, base=Path("/models/tiny"), base_digest="b" * 64, parent=None, data=data,
        data_digest="d" * 64, output=folder / "artifact", settings=LoraSettings(),
    )  # fmt: skip


def a_job(folder: Path, run: str = "r1") -> JobRequest:
    """The request as a pod gets it."""
    return portable(a_request(folder, run), model_line="support", base="tiny", parent=None)


def finish(files: JobFiles, digest: str, folder: Path, run: str = "r1") -> RunResult:
    """Store an artifact and the result, as the pod of a training does at its end."""
    artifact, manifest = an_artifact(folder / "made" / run, {"adapter_model.safetensors": run.encode()})
    result = RunResult(
        run=run, artifact=artifact, digest=manifest, steps=10, tokens=3000, target_tokens=900, conversations=20,
        first_loss=3.0, last_loss=1.5, seconds=10.0, packages={},
    )  # fmt: skip
    return files.finish(digest, replace(result))


def running(container: str = "trainer") -> dict[str, Any]:
    """The status of a pod that runs."""
    return {"phase": "Running", "containerStatuses": [_container(container, {"running": {}})]}


def waits(reason: str, message: str = "") -> dict[str, Any]:
    """The status of a pod that has a node, and whose container waits."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [_container("trainer", state)]}


def unschedulable(message: str) -> dict[str, Any]:
    """The status of a pod that no node takes."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"phase": "Pending", "conditions": [condition]}


def ended(exit_code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    """The status of a pod whose container has ended."""
    state = {"terminated": {"exitCode": exit_code, "reason": reason, "message": message}}
    phase = "Failed" if exit_code else "Succeeded"
    return {"phase": phase, "containerStatuses": [_container("trainer", state)]}


def evicted(message: str) -> dict[str, Any]:
    """The status of a pod that its node evicted."""
    disrupted = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "TerminationByKubelet",
        "message": message,
    }
    return {"phase": "Failed", "reason": "Evicted", "message": message, "conditions": [disrupted]}


def _container(name: str, state: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name, "state": state, "ready": "running" in state, "restartCount": 0, "image": "i", "imageID": "",
    }  # fmt: skip
