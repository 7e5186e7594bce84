"""What tests of the Helm chart share: manifests that the real ``helm`` makes, and how to find things in them."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from daemon.cluster.manifest import JobIdentity, job_manifest, train_job_manifest
from daemon.cluster.template import read_template
from daemon.config.loader import load
from daemon.config.settings import Settings
from deploy.helm.programs import ProgramMissing, program, render
from deploy.helm.values import CHART
from tests.support.helpers import missing

MODES = ("embedded", "replicated", "gpu")
#: Values that turn on all that is off by default.
EVERYTHING = (
    "serviceMonitor.enabled=true",
    "prometheusRule.enabled=true",
    "dashboards.enabled=true",
    "ingress.enabled=true",
    "ingress.hosts[0].host=retuned.example.com",
)

Manifest = dict[str, Any]


def require_programs() -> None:
    """Skip the test, or fail it in CI, where helm and kubectl are missing."""
    try:
        program("helm")
    except ProgramMissing as error:
        missing("the wheel with helm and kubectl", str(error))


def rendered(mode: str | None, *sets: str, files: Iterable[Path] = ()) -> list[Manifest]:
    """Return the manifests of a mode, or of the defaults, with further values as in ``--set``."""
    require_programs()
    values = [CHART / f"values-{mode}.yaml"] if mode else []
    arguments = [part for file in (*values, *files) for part in ("--values", str(file))]
    return _rendered(tuple(arguments) + tuple(part for each in sets for part in ("--set", each)))


@cache
def _text(arguments: tuple[str, ...]) -> str:
    return json.dumps(render(CHART, *arguments))


def _rendered(arguments: tuple[str, ...]) -> list[Manifest]:
    made: list[Manifest] = json.loads(_text(arguments))  # a copy for each caller
    return made


def of_kind(manifests: Iterable[Manifest], kind: str) -> list[Manifest]:
    """Return the manifests of a kind."""
    return [each for each in manifests if each["kind"] == kind]


def only(manifests: Iterable[Manifest], kind: str, name: str | None = None) -> Manifest:
    """Return the one manifest of a kind, or of a kind and name."""
    (found,) = [each for each in of_kind(manifests, kind) if name in (None, each["metadata"]["name"])]
    return found


def daemon_pod(manifests: Iterable[Manifest]) -> Manifest:
    """Return the spec of the daemon's pods."""
    spec: Manifest = only(manifests, "StatefulSet")["spec"]["template"]["spec"]
    return spec


def config_files(manifests: Iterable[Manifest]) -> dict[str, str]:
    """Return the files of the daemon's ConfigMap."""
    files: dict[str, str] = only(manifests, "ConfigMap", "retuned")["data"]
    return files


def job_pod(manifests: Iterable[Manifest]) -> Manifest:
    """Return the pod template of a training's Job: metadata and spec."""
    template: Manifest = yaml.safe_load(config_files(manifests)["job-template.yaml"])
    return template


def job_of(manifests: list[Manifest], folder: Path) -> Manifest:
    """Return the Job, or TrainJob, that the daemon makes with the chart's settings and template."""
    file, section = folder / "job-template.yaml", settings_of(manifests, folder).kubernetes
    file.write_text(config_files(manifests)["job-template.yaml"], encoding="utf-8")
    identity = JobIdentity(digest="0" * 64, model_line="chat", run="r1", ledger="1" * 32)
    template, store = read_template(file), "s3://bucket/folder"
    if section.kind == "trainjob":
        return train_job_manifest(identity, template, section, artifacts_url=store)
    return job_manifest(identity, template, section, artifacts_url=store, deadline_s=3600)


def variables(container: Manifest) -> dict[str, str]:
    """Return the environment variables of a container; what comes from elsewhere has a value that may stand for it."""
    stand_ins = {"RETUNED_LEDGER_URL": "postgresql://retuned:secret@db/retuned"}
    return {
        each["name"]: each.get("value", stand_ins.get(each["name"], "retuned-0")) for each in container["env"]
    }


def settings_of(manifests: list[Manifest], folder: Path) -> Settings:
    """Return the settings that the daemon reads in its pod. Raises SettingsError."""
    file = folder / "retuned.yaml"
    file.write_text(config_files(manifests)["retuned.yaml"], encoding="utf-8")
    return load(file, variables(daemon_pod(manifests)["containers"][0]))
