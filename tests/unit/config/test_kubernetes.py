"""Which settings of trainings on Kubernetes are refused, and what they say."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from daemon.config.loader import SettingsError, load
from daemon.config.sections.kubernetes import KubernetesSection
from daemon.config.settings import Settings

COMPLETE: dict[str, Any] = {
    "model": {"base": "m"},
    "learning": {"where": "kubernetes"},
    "artifacts_url": "memory://a",
    "kubernetes": {"job_template": "/etc/t.yaml", "artifacts_url": "s3://bucket/folder"},
}


def settings(**kubernetes: object) -> Settings:
    return Settings.model_validate(COMPLETE | {"kubernetes": COMPLETE["kubernetes"] | kubernetes})


def test_trainings_run_in_a_process_unless_told_otherwise() -> None:
    chosen = Settings.model_validate({"model": {"base": "m"}})

    assert chosen.learning.where == "process"
    assert chosen.kubernetes.job_template is None


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"artifacts_url": "file:///srv/artifacts", "shared_artifacts": True},
        {"artifacts_url": "/srv/artifacts", "shared_artifacts": True},
        {"namespace": "ml-team", "nodes": 4, "kind": "trainjob", "deadline_s": 3600},
    ],
)
def test_what_pods_can_train_with_is_accepted(fields: dict[str, Any]) -> None:
    settings(**fields)


@pytest.mark.parametrize(
    "url", ["file:///srv/artifacts", "/srv/artifacts", "memory://a", "local:///srv/artifacts"]
)
def test_a_store_that_pods_do_not_reach_is_a_mistake(url: str) -> None:
    with pytest.raises(ValidationError, match="must name a store that they reach"):
        settings(artifacts_url=url)


def test_every_mistake_is_reported_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "retuned.yaml"
    file.write_text("model:\n  base: m\nlearning:\n  where: kubernetes\nartifacts_url: file:///srv/a\n")

    with pytest.raises(SettingsError) as refused:
        load(file, {})

    template, store = refused.value.mistakes
    assert (template.source, template.path) == (f"{file}:4", "learning.where")
    assert "kubernetes.job_template must name the template" in template.problem
    assert (store.source, store.path) == (f"{file}:5", "artifacts_url")
    assert "set kubernetes.shared_artifacts" in store.problem


def test_a_missing_client_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "daemon.config.openable.find_spec", lambda name: None if name == "lightkube" else found(name)
    )

    with pytest.raises(ValidationError, match=r"pip install 'retuned\[kubernetes\]'"):
        settings()


@pytest.mark.parametrize(
    "wrong",
    [
        {"namespace": "ML_Team"},
        {"nodes": 0},
        {"kind": "pod"},
        {"deadline_s": 1},
        {"pending_s": 0},
        {"backoff_limit": -1},
        {"ttl_s": 0},
        {"artifacts_url": "bucket/folder"},
        {"training_runtime": ""},
    ],
)
def test_values_out_of_range_are_mistakes(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KubernetesSection(**wrong)
