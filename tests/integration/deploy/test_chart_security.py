"""The chart's pods have the rights, the secrets and the network that they need, and nothing else."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.cluster.rights import needed_rights
from daemon.config.sections.kafka import KafkaSection
from daemon.config.sections.kubernetes import KubernetesSection
from deploy.helm.values import CHART
from tests.support.chart import (
    EVERYTHING,
    MODES,
    Manifest,
    daemon_pod,
    job_of,
    job_pod,
    of_kind,
    only,
    rendered,
    require_programs,
)
from tests.support.helpers import missing

ROOT = Path(__file__).parents[3]
CHECKOV = "checkov==3.3.30"
RULES = ROOT / "deploy" / "helm" / "checkov.yaml"


def pods(mode: str) -> list[Manifest]:
    manifests = rendered(mode, "model.existingClaim=", "model.initContainer.image=fetch:1")
    return [daemon_pod(manifests), *([job_pod(manifests)["spec"]] if mode == "gpu" else [])]


@pytest.mark.parametrize("mode", MODES)
def test_pods_are_restricted(mode: str) -> None:
    """As the pod security standard ``restricted`` wants it, and a read-only root besides."""
    for pod in pods(mode):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in (*pod["containers"], *pod["initContainers"]):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
        assert {next(iter(volume.keys() - {"name"})) for volume in pod["volumes"]} <= {
            "emptyDir", "secret", "configMap", "persistentVolumeClaim", "image",
        }  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_what_is_written_to_is_a_volume(mode: str) -> None:
    for pod in pods(mode):
        writable = {
            mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"] if not mount.get("readOnly")
        }

        assert {"/tmp", "/var/cache/retuned", "/var/lib/retuned"} <= writable  # noqa: S108


@pytest.mark.parametrize("mode", MODES)
def test_no_token_is_mounted_and_no_right_given_where_there_are_no_jobs(mode: str) -> None:
    manifests = rendered(mode)

    assert {each["automountServiceAccountToken"] for each in of_kind(manifests, "ServiceAccount")} == {False}
    assert daemon_pod(manifests)["automountServiceAccountToken"] is (mode == "gpu")
    assert len(of_kind(manifests, "Role")) == len(of_kind(manifests, "RoleBinding")) == (mode == "gpu")
    assert not of_kind(manifests, "ClusterRole")


def test_the_daemon_may_make_jobs_and_look_at_their_pods() -> None:
    manifests = rendered("gpu")
    rules = {
        (group, kind): set(rule["verbs"])
        for rule in only(manifests, "Role")["rules"]
        for group in rule["apiGroups"]
        for kind in rule["resources"]
    }

    needed: dict[tuple[str, str], set[str]] = {}
    for right in needed_rights(KubernetesSection()):
        needed.setdefault((right.group, right.resource), set()).add(right.verb)
    assert rules == needed
    (subject,) = only(manifests, "RoleBinding")["subjects"]
    assert subject["name"] == daemon_pod(manifests)["serviceAccountName"]
    trainjob = only(rendered("gpu", "config.kubernetes.kind=trainjob"), "Role")["rules"]
    assert {"trainer.kubeflow.org"} == {group for rule in trainjob for group in rule["apiGroups"]} - {
        "",
        "batch",
    }


def test_jobs_in_another_namespace_have_their_rights_there() -> None:
    manifests = rendered("gpu", "config.kubernetes.namespace=training")

    for kind in ("Role", "RoleBinding"):
        assert only(manifests, kind)["metadata"]["namespace"] == "training"
    assert only(manifests, "ServiceAccount", "retuned-training")["metadata"]["namespace"] == "training"
    assert only(manifests, "RoleBinding")["subjects"][0]["namespace"] == "retuned"


def test_a_job_carries_the_artifact_stores_credentials_alone(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    secrets = [
        {"setting": "kafka.sasl_password_file", "existingSecret": "kafka", "key": "password"},
        {"setting": "holdout.key_file", "existingSecret": "holdout", "key": "key"},
    ]
    values.write_text(
        yaml.safe_dump(
            {
                "secretFiles": secrets,
                "ledger": {"existingSecret": "ledger"},
                "artifacts": {"existingEnvSecret": "artifacts-env"},
                "extraEnvFrom": [{"secretRef": {"name": "more"}}],
            }
        ),
        "utf-8",
    )
    manifests = rendered("gpu", files=[values])
    job, daemon = job_pod(manifests)["spec"], daemon_pod(manifests)

    assert secrets_of(job) == {"retuned-artifacts", "artifacts-env"}
    assert secrets_of(daemon) == {"retuned-artifacts", "artifacts-env", "kafka", "holdout", "ledger", "more"}
    assert job["automountServiceAccountToken"] is False
    assert job["serviceAccountName"] != daemon["serviceAccountName"]
    assert not any(each["name"].startswith("RETUNED_") for each in job["containers"][0]["env"])


def test_a_job_has_what_was_added_to_the_daemon_but_settings_and_secrets(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    reference = {"secretKeyRef": {"name": "proxy", "key": "url"}}
    values.write_text(
        yaml.safe_dump(
            {
                "extraEnv": [
                    {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
                    {"name": "TOKEN", "valueFrom": reference},
                    {"name": "RETUNED_MODEL_LINE", "value": "chat"},
                ],
                "extraEnvFrom": [{"secretRef": {"name": "a"}}, {"configMapRef": {"name": "b"}}],
                "extraVolumes": [
                    {"name": "certificates", "configMap": {"name": "certificates"}},
                    {"name": "keys", "secret": {"secretName": "keys"}},
                ],
                "extraVolumeMounts": [
                    {"name": "certificates", "mountPath": "/etc/ssl/own"},
                    {"name": "keys", "mountPath": "/keys"},
                ],
            }
        ),
        "utf-8",
    )
    pod = job_pod(rendered("gpu", files=[values]))["spec"]
    (trainer,) = pod["containers"]

    added = {"HTTPS_PROXY", "TOKEN", "RETUNED_MODEL_LINE"} & {each["name"] for each in trainer["env"]}
    assert added == {"HTTPS_PROXY"}
    assert trainer["envFrom"] == [{"configMapRef": {"name": "b"}}]
    assert secrets_of(pod) == {"retuned-artifacts"}
    assert "/etc/ssl/own" in {mount["mountPath"] for mount in trainer["volumeMounts"]}
    alone = job_pod(rendered("gpu", "jobs.inheritExtra=false", files=[values]))["spec"]["containers"][0]
    assert "HTTPS_PROXY" not in {each["name"] for each in alone["env"]}


def secrets_of(pod: Manifest) -> set[str]:
    """The Secrets that a pod has, as files or as variables."""

    def names(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key, each in value.items():
                if key == "secret":
                    yield each["secretName"]
                elif key in ("secretRef", "secretKeyRef"):
                    yield each["name"]
                else:
                    yield from names(each)
        elif isinstance(value, list):
            for each in value:
                yield from names(each)

    return set(names(pod))


@pytest.mark.parametrize("mode", MODES)
def test_no_manifest_is_a_secret(mode: str) -> None:
    assert of_kind(rendered(mode, *EVERYTHING), "Secret") == []


def egress(policy: Manifest) -> set[int]:
    return {port["port"] for rule in policy["spec"]["egress"] for port in rule.get("ports", ())}


@pytest.mark.parametrize(
    ("mode", "sets", "ports"),
    [
        ("embedded", (), {53, 9092}),
        ("replicated", (), {53, 9093, 5432, 443}),
        ("gpu", (), {53, 9092, 443, 6443}),
        ("embedded", ("config.teacher.url=https://teacher.example.com:8443/v1", "config.teacher.model=m"), {53, 9092, 8443}),
        ("embedded", ("config.kafka.schema_registry.url=https://registry",), {53, 9092, 443}),
        ("embedded", ("config.tracing.endpoint=http://collector:4318",), {53, 9092, 4318}),
        ("embedded", ("networkPolicy.egress.kafka.ports={9092,9094}",), {53, 9092, 9094}),
        ("embedded", ("networkPolicy.egress.extra[0].ports[0].port=8080",), {53, 9092, 8080}),
    ],
)  # fmt: skip
def test_only_what_the_settings_name_can_be_reached(
    mode: str, sets: tuple[str, ...], ports: set[int]
) -> None:
    policy = only(rendered(mode, *sets), "NetworkPolicy", "retuned")

    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert egress(policy) == ports
    (rule,) = policy["spec"]["ingress"]
    assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]
    assert rule["from"]


def test_nobody_may_come_in_where_no_peer_is_named(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("networkPolicy: {ingress: {from: []}}", "utf-8")

    assert only(rendered("embedded", files=[values]), "NetworkPolicy")["spec"].keys() == {
        "podSelector", "policyTypes", "egress",
    }  # fmt: skip


@pytest.mark.parametrize(("nodes", "peers"), [(1, 0), (4, 1)])
def test_a_jobs_pods_reach_the_artifact_store_and_each_other_where_they_are_several(
    nodes: int, peers: int
) -> None:
    policy = only(rendered("gpu", f"config.kubernetes.nodes={nodes}"), "NetworkPolicy", "retuned-training")

    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert egress(policy) == {53, 443}
    assert len(policy["spec"].get("ingress", [])) == peers
    assert len([rule for rule in policy["spec"]["egress"] if "ports" not in rule]) == peers


def test_nothing_of_the_daemon_selects_a_jobs_pods() -> None:
    manifests = rendered("gpu")
    labels = job_pod(manifests)["metadata"]["labels"].items()
    selectors = [each["spec"]["selector"] for each in of_kind(manifests, "Service")]
    selectors += [
        each["spec"]["selector"]["matchLabels"] for each in of_kind(manifests, "PodDisruptionBudget")
    ]
    selectors.append(only(manifests, "NetworkPolicy", "retuned")["spec"]["podSelector"]["matchLabels"])

    assert not any(selector.items() <= labels for selector in selectors)


def test_every_secret_setting_of_kafka_has_a_file() -> None:
    """The chart refuses the first kind, so there must be the second."""
    fields = KafkaSection.model_fields

    assert {f"{name}_file" for name in ("sasl_password", "oauth_client_secret")} <= fields.keys()


@pytest.fixture(scope="module")
def checkov() -> Path:
    """Checkov in an environment of its own: its dependencies differ from those of retuned."""
    folder = ROOT / ".cache" / CHECKOV.replace("==", "-")
    command = folder / "bin" / "checkov"
    if not (folder / "complete").exists():
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile", CHECKOV]
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
        done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=280)
        if done.returncode:
            missing("checkov", f"it can't be installed: {done.stderr.strip()}")
        (folder / "complete").touch()
    return command


@pytest.mark.timeout(420)
def test_checkov_finds_nothing_but_the_explained_exceptions(checkov: Path, tmp_path: Path) -> None:
    require_programs()
    folder = tmp_path / "manifests"
    folder.mkdir()
    for mode in MODES:
        manifests = rendered(mode, *EVERYTHING)
        if mode == "gpu":
            job = job_of(manifests, tmp_path)
            manifests.append({**job, "metadata": {**job["metadata"], "namespace": "retuned"}})
        (folder / f"{mode}.yaml").write_text(yaml.safe_dump_all(manifests), "utf-8")
    command = [
        str(checkov), "--directory", str(folder), "--framework", "kubernetes", "--config-file", str(RULES),
        "--output", "json", "--quiet", "--compact", "--skip-download",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    report = json.loads(done.stdout)

    assert [(each["check_id"], each["resource"]) for each in report["results"]["failed_checks"]] == []
    assert report["summary"]["passed"] > 200


def test_every_exception_is_explained_and_of_use() -> None:
    lines = RULES.read_text("utf-8").splitlines()
    skipped = [number for number, line in enumerate(lines) if line.strip().startswith("- CKV")]

    assert skipped
    assert all(lines[number - 1].strip().startswith("# ") for number in skipped)
    assert CHART.parent == RULES.parent
