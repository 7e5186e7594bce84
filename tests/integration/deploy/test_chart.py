"""The Helm chart, by the real helm: what it makes is valid, complete and read by the daemon."""

import json
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from daemon.config.loader import SettingsError
from daemon.runtime.build import CLOSE_WITHIN_S
from deploy.helm.programs import run
from deploy.helm.values import CHART
from tests.support.chart import (
    EVERYTHING,
    MODES,
    daemon_pod,
    job_of,
    job_pod,
    of_kind,
    only,
    rendered,
    require_programs,
    settings_of,
    variables,
)
from tests.support.helpers import required_program

#: The oldest release that the chart serves, and the newest whose schemas there are.
OLDEST, NEWEST = "1.29", "1.37"
#: Kinds of operators, whose schemas Kubernetes does not have.
OF_OPERATORS = ("ServiceMonitor", "PrometheusRule", "ScaledObject")


@pytest.mark.parametrize("mode", [None, *MODES])
def test_helm_finds_nothing_to_complain_of(mode: str | None) -> None:
    require_programs()
    values = ["--values", str(CHART / f"values-{mode}.yaml")] if mode else []

    assert "0 chart(s) failed" in run("helm", "lint", "--strict", str(CHART), *values)


@pytest.mark.parametrize(
    ("release", "mode", "sets"),
    [
        (OLDEST, None, ()),
        *((OLDEST, mode, EVERYTHING) for mode in MODES),
        *((NEWEST, mode, ()) for mode in MODES),
        (OLDEST, "replicated", ("autoscaling.enabled=true", "autoscaling.kind=hpa")),
        (OLDEST, "gpu", ("config.kubernetes.nodes=4",)),
        (NEWEST, "embedded", ("persistence.existingClaim=mine", "model.existingClaim=", "model.initContainer.image=f:1")),
        (NEWEST, "embedded", ("persistence.enabled=false", "serviceAccount.create=false", "diagnosticMode.enabled=true")),
    ],
)  # fmt: skip
def test_every_manifest_keeps_the_schemas_of_kubernetes(
    release: str, mode: str | None, sets: tuple[str, ...], tmp_path: Path
) -> None:
    manifests = rendered(mode, *sets)
    if mode == "gpu":
        manifests.append(job_of(manifests, tmp_path))

    for manifest in manifests:
        if manifest["kind"] not in OF_OPERATORS:
            kubernetes_validate.validate(manifest, release, strict=True)


def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    promtool = required_program("promtool", "install prometheus")
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        yaml.safe_dump(only(rendered("embedded", *EVERYTHING), "PrometheusRule")["spec"]), "utf-8"
    )

    done = subprocess.run(
        [str(promtool), "check", "rules", str(rules)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_an_image_volume_holds_the_base_model() -> None:
    sets = ("model.existingClaim=", "model.image.reference=registry.example.com/base:1")
    manifests = rendered("embedded", *sets)

    kubernetes_validate.validate(only(manifests, "StatefulSet"), NEWEST, strict=True)
    assert {
        "name": "model",
        "image": {"reference": "registry.example.com/base:1", "pullPolicy": "IfNotPresent"},
    } in (daemon_pod(manifests)["volumes"])


@pytest.mark.parametrize("mode", [None, *MODES])
def test_the_daemon_accepts_the_settings(mode: str | None, tmp_path: Path) -> None:
    settings = settings_of(rendered(mode), tmp_path)

    assert settings.http.host == "0.0.0.0"  # noqa: S104
    assert settings.kafka.instance_id == "retuned-0"
    assert settings.state_dir == Path("/var/lib/retuned/state")


def test_a_setting_that_contradicts_another_is_refused_by_the_daemon_alone(tmp_path: Path) -> None:
    manifests = rendered("embedded", "config.kafka.heartbeat_interval_ms=9000")

    with pytest.raises(SettingsError, match="heartbeat_interval_ms"):
        settings_of(manifests, tmp_path)


def test_numbers_come_through_as_they_are(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(
        "config: {kafka: {max_batch_bytes: 268435456}, learning: {learning_rate: 1.0e-5, seed: 123456789}}",
        "utf-8",
    )
    settings = settings_of(rendered("embedded", files=[values]), tmp_path)

    assert settings.kafka.max_batch_bytes == 268435456
    assert settings.learning.learning_rate == 1e-5
    assert settings.learning.seed == 123456789


def test_replicas_share_ledger_key_artifacts_and_target(tmp_path: Path) -> None:
    manifests = rendered("replicated")
    settings = settings_of(manifests, tmp_path)
    pod = daemon_pod(manifests)

    assert only(manifests, "StatefulSet")["spec"]["replicas"] == 3
    assert settings.ledger_url is not None
    assert settings.ledger_url.startswith("postgresql://")
    assert settings.artifacts_url == "s3://my-models/retuned"
    assert settings.holdout.key_file == Path("/run/retuned/secrets/retuned-holdout/holdout.key")
    assert settings.kafka.sasl_password_file == Path("/run/retuned/secrets/retuned-kafka/password")
    assert settings.target_dir == Path("/var/lib/retuned-target")
    assert only(manifests, "PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteMany"]
    mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert {
        "/run/retuned/secrets/retuned-holdout",
        "/run/retuned/secrets/retuned-kafka",
        "/var/lib/retuned-target",
    } <= (mounts.keys())
    assert [each["topologyKey"] for each in pod["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]


def test_trainings_run_as_jobs(tmp_path: Path) -> None:
    settings = settings_of(rendered("gpu"), tmp_path)

    assert settings.learning.where == "kubernetes"
    assert settings.kubernetes.job_template == Path("/etc/retuned/job-template.yaml")


def test_kubernetes_waits_longer_than_the_daemon_needs_to_stop() -> None:
    """The daemon ends within 20 s of SIGTERM: 15 s for the stages, the rest for what they wait for."""
    for mode in MODES:
        assert daemon_pod(rendered(mode))["terminationGracePeriodSeconds"] >= max(20, CLOSE_WITHIN_S) + 10


def test_probes_ask_what_the_daemon_serves() -> None:
    container = daemon_pod(rendered("embedded", "config.http.port=8080"))["containers"][0]

    assert container["ports"] == [{"name": "http", "containerPort": 8080}]
    paths = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert paths == {
        "startup": {"path": "/livez", "port": "http"},
        "liveness": {"path": "/livez", "port": "http"},
        "readiness": {"path": "/readyz", "port": "http"},
    }


@pytest.mark.parametrize("mode", MODES)
def test_changed_settings_restart_the_pods_and_other_values_do_not(mode: str) -> None:
    def checksum(*sets: str) -> str:
        template = only(rendered(mode, *sets), "StatefulSet")["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/config"])

    assert checksum() == checksum("podDisruptionBudget.enabled=false", "commonLabels.team=ml")
    assert checksum() != checksum("config.monitors.seed=7")


def test_no_variable_is_named_twice() -> None:
    sets = (
        "extraEnv[0].name=TMPDIR", "extraEnv[0].value=/elsewhere", "extraEnv[1].name=A", "extraEnv[1].value=first",
        "extraEnv[2].name=A", "extraEnv[2].value=last", "jobs.extraEnv[0].name=HF_HOME", "jobs.extraEnv[0].value=/hf",
    )  # fmt: skip
    manifests = rendered("gpu", *sets)
    daemon, trainer = daemon_pod(manifests)["containers"][0], job_pod(manifests)["spec"]["containers"][0]

    for container in (daemon, trainer):
        names = [each["name"] for each in container["env"]]
        assert len(names) == len(set(names))
    assert (variables(daemon)["TMPDIR"], variables(daemon)["A"]) == ("/elsewhere", "last")
    assert variables(trainer)["HF_HOME"] == "/hf"


@pytest.mark.parametrize("mode", MODES)
def test_volumes_and_mounts_agree(mode: str) -> None:
    manifests = rendered(mode)
    pods = [daemon_pod(manifests), *([job_pod(manifests)["spec"]] if mode == "gpu" else [])]
    claims = [
        claim["metadata"]["name"] for claim in only(manifests, "StatefulSet")["spec"]["volumeClaimTemplates"]
    ]

    for pod, more in zip(pods, (claims, []), strict=False):
        volumes = [volume["name"] for volume in pod["volumes"]] + more
        mounts = pod["containers"][0]["volumeMounts"]
        assert sorted(volumes) == sorted({mount["name"] for mount in mounts})
        assert len({mount["mountPath"] for mount in mounts}) == len(mounts)


def test_state_outlives_the_release() -> None:
    spec = only(rendered("embedded"), "StatefulSet")["spec"]

    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    target = only(rendered("replicated"), "PersistentVolumeClaim")
    assert target["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_what_cannot_be_changed_later_does_not_depend_on_the_release() -> None:
    """A StatefulSet's selector, Service and claims are immutable: an upgrade that changed them would be refused."""
    before = only(rendered("embedded"), "StatefulSet")["spec"]
    after = only(rendered("embedded", "image.tag=9.9.9", "commonLabels.team=ml"), "StatefulSet")["spec"]

    for name in ("selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy"):
        assert before[name] == after[name]


def test_a_release_may_change_from_one_mode_to_another() -> None:
    specs = [only(rendered(mode), "StatefulSet")["spec"] for mode in MODES]

    for name in ("selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy"):
        assert specs[0][name] == specs[1][name] == specs[2][name]


def test_a_job_has_the_daemons_pull_secrets_model_and_security_context() -> None:
    manifests = rendered("gpu", "imagePullSecrets[0].name=registry", "image.registry=registry.example.com")
    daemon, job = daemon_pod(manifests), job_pod(manifests)["spec"]

    for name in ("imagePullSecrets", "securityContext"):
        assert job[name] == daemon[name]
    (trainer,) = job["containers"]
    assert trainer["name"] == "trainer"
    assert trainer["image"] == "registry.example.com/retuned:0.1.0"
    assert daemon["containers"][0]["image"] == "registry.example.com/retuned:0.1.0-cpu"
    assert trainer["securityContext"] == daemon["containers"][0]["securityContext"]
    assert trainer["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert job["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    model = [volume for volume in daemon["volumes"] if volume["name"] == "model"]
    assert [volume for volume in job["volumes"] if volume["name"] == "model"] == model


def test_a_train_job_takes_the_template(tmp_path: Path) -> None:
    made = job_of(rendered("gpu", "config.kubernetes.kind=trainjob"), tmp_path)

    assert made["kind"] == "TrainJob"
    assert made["spec"]["trainer"]["image"] == "retuned:0.1.0"


def test_prometheus_gets_the_pods_that_are_not_ready_too() -> None:
    manifests = rendered("replicated", *EVERYTHING, "serviceMonitor.additionalLabels.release=prom")
    monitor = only(manifests, "ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    found = [each for each in of_kind(manifests, "Service") if wanted <= each["metadata"]["labels"].items()]

    (service,) = found
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["clusterIP"] == "None"
    assert monitor["metadata"]["labels"]["release"] == "prom"
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]


def test_alerts_are_those_of_the_rule_files() -> None:
    sets = (*EVERYTHING, "prometheusRule.disabled[0]=RetunedHeld", "prometheusRule.alertLabels.team=ml")
    rule = only(rendered("embedded", *sets), "PrometheusRule")
    made = [each for group in rule["spec"]["groups"] for each in group["rules"]]
    files = [
        yaml.safe_load(path.read_text("utf-8"))
        for path in sorted((CHART / "files/prometheus").glob("*.yaml"))
    ]
    written = [each for file in files for group in file["groups"] for each in group["rules"]]

    alerts = [each for each in made if "alert" in each]
    assert [each["alert"] for each in alerts] == [
        each["alert"] for each in written if each.get("alert") not in (None, "RetunedHeld")
    ]
    assert {each["labels"]["team"] for each in alerts} == {"ml"}
    assert [each["expr"] for each in made] == [
        each["expr"] for each in written if each.get("alert") != "RetunedHeld"
    ]
    summaries = {each["alert"]: each["annotations"] for each in written if "alert" in each}
    assert all(each["annotations"] == summaries[each["alert"]] for each in alerts)


def test_links_of_alerts_lead_to_your_runbook_and_grafana() -> None:
    sets = (
        "prometheusRule.runbookUrl=https://wiki/runbook",
        "prometheusRule.dashboardUrl=https://grafana.example.com/",
    )
    rule = only(rendered("embedded", *EVERYTHING, *sets), "PrometheusRule")
    notes = [
        each["annotations"] for group in rule["spec"]["groups"] for each in group["rules"] if "alert" in each
    ]

    for each in notes:
        assert each["runbook_url"].startswith("https://wiki/runbook#retuned")
        assert each["dashboard_url"].startswith("https://grafana.example.com/d/retuned-")


def test_every_dashboard_is_a_config_map_that_grafana_finds() -> None:
    made = [
        each for each in of_kind(rendered("embedded", *EVERYTHING), "ConfigMap")
        if each["metadata"]["labels"].get("grafana_dashboard") == "1"
    ]  # fmt: skip
    files = {
        path.name: path.read_text("utf-8").strip() for path in (CHART / "files/dashboards").glob("*.json")
    }

    assert {name: text for each in made for name, text in each["data"].items()} == files


def test_the_dashboards_lead_to_your_runbook() -> None:
    documents = rendered("embedded", *EVERYTHING, "prometheusRule.runbookUrl=https://wiki/runbook")
    texts = [
        text for each in of_kind(documents, "ConfigMap") for name, text in each["data"].items()
        if name.endswith(".json")
    ]  # fmt: skip

    made = [each for text in texts for each in json.loads(text)["templating"]["list"]]
    assert [each["query"] for each in made if each["name"] == "runbook"] == ["https://wiki/runbook"] * 5


def test_in_diagnostic_mode_the_pods_idle_with_all_volumes() -> None:
    usual = daemon_pod(rendered("embedded"))["containers"][0]
    idle = daemon_pod(rendered("embedded", "diagnosticMode.enabled=true"))["containers"][0]

    assert idle["command"] == ["sleep", "infinity"]
    assert idle["volumeMounts"] == usual["volumeMounts"]
    assert usual.keys() - idle.keys() == {"args", "startupProbe", "livenessProbe", "readinessProbe"}


def test_autoscaling_leaves_the_replicas_to_the_scaler() -> None:
    for kind, name in (("keda", "ScaledObject"), ("hpa", "HorizontalPodAutoscaler")):
        manifests = rendered("replicated", "autoscaling.enabled=true", f"autoscaling.kind={kind}")
        scaler = only(manifests, name)

        assert "replicas" not in only(manifests, "StatefulSet")["spec"]
        assert scaler["spec"]["scaleTargetRef"]["name"] == only(manifests, "StatefulSet")["metadata"]["name"]
    trigger = only(rendered("replicated", "autoscaling.enabled=true"), "ScaledObject")["spec"]["triggers"][0]
    assert trigger["metadata"]["consumerGroup"] == "retuned"
    assert trigger["metadata"]["topic"] == "conversations"
    assert trigger["metadata"]["lagThreshold"] == "5000"


def test_further_objects_may_hold_templates(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    objects: list[Any] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "{{ .Release.Name }}-more"}},
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: text\n",
    ]
    values.write_text(yaml.safe_dump({"extraObjects": objects}), "utf-8")
    manifests = rendered("embedded", files=[values])

    assert only(manifests, "Secret")["metadata"]["name"] == "retuned-more"
    assert only(manifests, "Service", "text")


def test_a_long_release_name_makes_names_that_kubernetes_takes() -> None:
    require_programs()
    text = run("helm", "template", "x" * 53, str(CHART), "--values", str(CHART / "values-gpu.yaml"))

    names = [(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(text) if each]
    assert max(len(name) for _, name in names) <= 63
    revision = len("-0123456789")  # Kubernetes puts it behind the StatefulSet's name in a label
    assert max(len(name) for kind, name in names if kind == "StatefulSet") <= 63 - revision
