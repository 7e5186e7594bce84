"""What is created in the cluster for a training."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.cluster.errors import BadJobTemplate
from daemon.cluster.manifest import JobIdentity, job_manifest, service_manifest, train_job_manifest
from daemon.cluster.template import read_template
from daemon.config.sections.kubernetes import KubernetesSection
from tests.factories.kubernetes import TEMPLATE, write_template

IDENTITY = JobIdentity(digest="ab" * 32, model_line="support", run="r7", ledger="1" * 32)
STORE = "s3://bucket/retuned"


def made(folder: Path, settings: KubernetesSection | None = None, **trainer: object) -> dict[str, Any]:
    template = read_template(write_template(folder, **trainer))
    return job_manifest(
        IDENTITY, template, settings or KubernetesSection(), artifacts_url=STORE, deadline_s=3_600
    )


def test_a_job_is_the_template_with_a_name_labels_arguments_and_limits(tmp_path: Path) -> None:
    job = made(tmp_path, KubernetesSection(backoff_limit=3, ttl_s=600))

    labels = {
        "app.kubernetes.io/component": "training",
        "retuned/model-line": "support",
        "retuned/run": "r7",
        "retuned/job": "abababababababababab",
        "retuned/ledger": "1" * 32,
    }
    assert job["metadata"]["name"] == "retuned-abababababababababab"
    assert job["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"] == labels
    limits = (
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
        "completions",
        "parallelism",
    )
    assert [job["spec"][name] for name in limits] == [3, 3_600, 600, 1, 1]
    pod = job["spec"]["template"]["spec"]
    [trainer] = pod["containers"]
    assert trainer["command"] == ["retuned"]
    assert trainer["args"] == ["train-job", "--artifacts", STORE, "--job", "ab" * 32]
    assert (pod["restartPolicy"], pod["automountServiceAccountToken"]) == ("Never", False)
    assert pod["nodeSelector"] == {"gpu": "yes"}
    assert trainer["resources"] == TEMPLATE["spec"]["containers"][0]["resources"]


def test_what_the_template_says_stays(tmp_path: Path) -> None:
    env = [{"name": "A", "value": "1"}]
    [trainer] = made(tmp_path, command=["/opt/venv/bin/retuned"], env=env)["spec"]["template"]["spec"][
        "containers"
    ]

    assert (trainer["command"], trainer["env"]) == (["/opt/venv/bin/retuned"], env)
    assert "args" not in TEMPLATE["spec"]["containers"][0]


def test_disruptions_do_not_count_and_what_fails_again_ends_the_job(tmp_path: Path) -> None:
    disrupted, cancelled, permanent = made(tmp_path)["spec"]["podFailurePolicy"]["rules"]

    assert (disrupted["action"], disrupted["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
    assert (cancelled["action"], cancelled["onExitCodes"]["values"]) == ("Ignore", [3])
    assert (permanent["action"], permanent["onExitCodes"]["values"]) == ("FailJob", [2, 42])


def test_several_nodes_are_an_indexed_job_whose_pods_find_the_first(tmp_path: Path) -> None:
    job = made(
        tmp_path, KubernetesSection(nodes=4, backoff_limit=1), env=[{"name": "PET_NNODES", "value": "9"}]
    )

    assert (job["spec"]["completionMode"], job["spec"]["completions"]) == ("Indexed", 4)
    assert (job["spec"]["parallelism"], job["spec"]["backoffLimit"]) == (4, 4)
    pod = job["spec"]["template"]["spec"]
    env = {each["name"]: each for each in pod["containers"][0]["env"]}
    assert len(pod["containers"][0]["env"]) == len(env)
    assert env["PET_NNODES"]["value"] == "4"
    assert env["PET_MASTER_ADDR"]["value"] == f"{job['metadata']['name']}-0.{pod['subdomain']}"
    rank = env["PET_NODE_RANK"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert rank == "metadata.annotations['batch.kubernetes.io/job-completion-index']"


@pytest.mark.parametrize(
    ("gpus", "env", "processes"),
    [
        ("1", [], None),
        (8, [], "8"),
        ("8", [{"name": "PET_NPROC_PER_NODE", "value": "2"}], "2"),
        ("0", [], None),
    ],
)
def test_a_pod_has_a_process_a_gpu(
    tmp_path: Path, gpus: object, env: list[dict[str, str]], processes: str | None
) -> None:
    resources = {"limits": {"nvidia.com/gpu": gpus, "memory": "8Gi"}}
    [trainer] = made(tmp_path, resources=resources, env=env)["spec"]["template"]["spec"]["containers"]

    found = {each["name"]: each["value"] for each in trainer["env"]}
    assert found.get("PET_NPROC_PER_NODE") == processes


def test_the_service_of_several_nodes_goes_with_its_job() -> None:
    service = service_manifest(IDENTITY, job_uid="u-1")

    assert service["metadata"]["name"] == IDENTITY.name
    assert service["metadata"]["ownerReferences"][0]["uid"] == "u-1"
    assert (service["spec"]["clusterIP"], service["spec"]["selector"]) == (
        "None",
        {"retuned/job": IDENTITY.digest[:20]},
    )


def test_a_train_job_takes_what_it_can_say_of_the_container(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(yaml.safe_dump({
        "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "gpus"}},
        "spec": {"containers": [{"name": "trainer", "image": "i", "env": [{"name": "A", "value": "1"}],
                                 "resources": {"limits": {"nvidia.com/gpu": "8"}}}]},
    }))  # fmt: skip
    settings = KubernetesSection(nodes=2, training_runtime="torch")

    job = train_job_manifest(IDENTITY, read_template(tmp_path / "t.yaml"), settings, artifacts_url=STORE)

    assert job["apiVersion"] == "trainer.kubeflow.org/v1alpha1"
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert job["spec"]["runtimeRef"] == {"name": "torch"}
    trainer = job["spec"]["trainer"]
    assert (trainer["image"], trainer["numNodes"], trainer["command"]) == ("i", 2, ["retuned"])
    assert trainer["resourcesPerNode"] == {"limits": {"nvidia.com/gpu": "8"}}
    assert trainer["args"][0] == "train-job"


def test_what_a_train_job_cannot_say_is_refused(tmp_path: Path) -> None:
    template = read_template(write_template(tmp_path))

    with pytest.raises(BadJobTemplate, match=r"takes no securityContext .* set kubernetes.kind to job"):
        train_job_manifest(IDENTITY, template, KubernetesSection(), artifacts_url=STORE)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "is no YAML"),
        ("just text", "must be a pod template"),
        ("spec: 5", "must be a pod template"),
        ("apiVersion: batch/v1\nkind: Job\nspec: {}", "has apiVersion, kind beside metadata and spec"),
        ("metadata: {labels: {a: 5}}\nspec: {}", "metadata.labels must map names to texts"),
        ("metadata: {annotations: [a]}\nspec: {}", "metadata.annotations must map names to texts"),
        ("metadata: 5\nspec: {}", "metadata must be a mapping"),
        ("spec: {containers: {name: trainer}}", "must be a list of containers"),
        ("spec: {containers: [{name: other}]}", "must have one container named trainer"),
        ("spec: {containers: [{name: trainer, args: [x]}]}", "must have no args"),
        ("spec: {restartPolicy: Always, containers: [{name: trainer}]}", "restartPolicy must be Never"),
    ],
)
def test_a_template_that_is_none_says_what_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(BadJobTemplate, match=problem):
        read_template(file)


def test_a_template_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadJobTemplate, match=r"correct kubernetes\.job_template, or mount the file"):
        read_template(tmp_path / "none.yaml")
