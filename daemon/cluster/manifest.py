"""What is created in the cluster for a training. Pure."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeAlias

from daemon.cluster.errors import BadJobTemplate
from daemon.cluster.template import TRAINER, PodTemplate
from daemon.config.sections.kubernetes import KubernetesSection
from daemon.jobs.exit_codes import PodExit

Manifest: TypeAlias = dict[str, Any]

MODEL_LINE, RUN, JOB, LEDGER = "retuned/model-line", "retuned/run", "retuned/job", "retuned/ledger"
_DIGEST = "retuned/request-digest"
_PORT = 29_500
_PROCESSES = "PET_NPROC_PER_NODE"
_INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"


@dataclass(frozen=True, kw_only=True, slots=True)
class JobIdentity:
    """Which training a Job is."""

    digest: str  # of the request
    model_line: str
    run: str
    ledger: str  # the identity of the ledger that knows the run

    @property
    def name(self) -> str:
        """The name of the Job: the same request has the same."""
        return f"retuned-{self.digest[:20]}"

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the Job and its pods."""
        return {
            MODEL_LINE: self.model_line,
            RUN: self.run,
            JOB: self.digest[:20],
            LEDGER: self.ledger[:32],
        }


def job_manifest(
    identity: JobIdentity,
    template: PodTemplate,
    settings: KubernetesSection,
    *,
    artifacts_url: str,
    deadline_s: int,
) -> Manifest:
    """Return the Job of a training: as many pods as nodes, in an Indexed Job where there are several."""
    several = settings.nodes > 1
    spec: Manifest = {
        "backoffLimit": settings.backoff_limit * settings.nodes,
        "activeDeadlineSeconds": deadline_s,
        "ttlSecondsAfterFinished": settings.ttl_s,
        "completions": settings.nodes,
        "parallelism": settings.nodes,
        "completionMode": "Indexed" if several else "NonIndexed",
        "podFailurePolicy": _failure_policy(),
        "template": _pod(identity, template, artifacts_url, settings.nodes),
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": _metadata(identity, template), "spec": spec}


def service_manifest(identity: JobIdentity, *, job_uid: str) -> Manifest:
    """Return the headless Service by which the pods of several nodes find each other; it goes with its Job."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": identity.name, "uid": job_uid}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": identity.name, "labels": identity.labels, "ownerReferences": [owner]},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,  # they connect before any of them is ready
            "selector": {JOB: identity.labels[JOB]},
            "ports": [{"name": "rendezvous", "port": _PORT}],
        },
    }


def train_job_manifest(
    identity: JobIdentity, template: PodTemplate, settings: KubernetesSection, *, artifacts_url: str
) -> Manifest:
    """Return the TrainJob of a training. Its pods are the training runtime's, but for the container that trains.

    Raises BadJobTemplate where the template has what a TrainJob can't say.
    """
    trainer = _trainer(template)
    taken = {"name", "image", "command", "env", "resources"}
    if left := sorted(trainer.keys() - taken):
        raise BadJobTemplate(
            f"a TrainJob takes no {', '.join(left)} of the container {TRAINER}: set it in the ClusterTrainingRuntime "
            f"{settings.training_runtime} and leave it out of kubernetes.job_template, or set kubernetes.kind to job"
        )
    spec = {
        "runtimeRef": {"name": settings.training_runtime},
        "trainer": {
            **({"image": trainer["image"]} if "image" in trainer else {}),
            "command": trainer.get("command") or ["retuned"],
            "args": _args(identity, artifacts_url),
            "env": trainer.get("env") or [],
            "numNodes": settings.nodes,
            **({"resourcesPerNode": trainer["resources"]} if "resources" in trainer else {}),
        },
    }
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": _metadata(identity, template),
        "spec": spec,
    }


def _metadata(identity: JobIdentity, template: PodTemplate) -> Manifest:
    return {
        "name": identity.name,
        "labels": {**template.labels, **identity.labels},
        "annotations": {**template.annotations, _DIGEST: identity.digest},
    }


def _failure_policy() -> Manifest:
    """Return which failed pods do not count, and which end the Job at once."""
    exits = {"containerName": TRAINER, "operator": "In"}
    return {
        "rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {"action": "Ignore", "onExitCodes": {**exits, "values": [PodExit.CANCELLED.value]}},
            {
                "action": "FailJob",
                "onExitCodes": {**exits, "values": [PodExit.MISUSED.value, PodExit.PERMANENT.value]},
            },
        ]
    }


def _pod(identity: JobIdentity, template: PodTemplate, artifacts_url: str, nodes: int) -> Manifest:
    spec: Manifest = deepcopy(dict(template.spec))
    spec["restartPolicy"] = "Never"
    spec.setdefault("automountServiceAccountToken", False)
    spec.setdefault("enableServiceLinks", False)
    trainer = next(each for each in spec["containers"] if each["name"] == TRAINER)
    trainer.setdefault("command", ["retuned"])
    trainer.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    trainer["args"] = _args(identity, artifacts_url)
    wanted = _processes(trainer)
    if nodes > 1:
        spec["subdomain"] = identity.name
        wanted += _rendezvous(identity, nodes)
    _set_env(trainer, wanted)
    metadata = {name: value for name, value in _metadata(identity, template).items() if name != "name"}
    return {"metadata": metadata, "spec": spec}


def _trainer(template: PodTemplate) -> Mapping[str, Any]:
    trainers = (each for each in template.spec["containers"] if each["name"] == TRAINER)
    trainer: Mapping[str, Any] = next(trainers)
    return trainer


def _args(identity: JobIdentity, artifacts_url: str) -> list[str]:
    return ["train-job", "--artifacts", artifacts_url, "--job", identity.digest]


def _set_env(trainer: Manifest, wanted: list[Manifest]) -> None:
    names = {each["name"] for each in wanted}
    if wanted:
        given = [each for each in trainer.get("env") or [] if each.get("name") not in names]
        trainer["env"] = [*given, *wanted]


def _processes(trainer: Mapping[str, Any]) -> list[Manifest]:
    """Return how many processes train in a pod: one a GPU, unless the template says so itself."""
    given = {each.get("name") for each in trainer.get("env") or []}
    limits = (trainer.get("resources") or {}).get("limits") or {}
    gpus = max(
        (int(count) for name, count in limits.items() if str(name).endswith("/gpu") and str(count).isdigit()),
        default=0,
    )
    if gpus <= 1 or _PROCESSES in given:
        return []
    return [{"name": _PROCESSES, "value": str(gpus)}]


def _rendezvous(identity: JobIdentity, nodes: int) -> list[Manifest]:
    """Return the variables that torchrun reads, as the Kubeflow Trainer sets them for a TrainJob."""
    return [
        {"name": "PET_NNODES", "value": str(nodes)},
        {"name": "PET_NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": _INDEX}}},
        {"name": "PET_MASTER_ADDR", "value": f"{identity.name}-0.{identity.name}"},
        {"name": "PET_MASTER_PORT", "value": str(_PORT)},
    ]
