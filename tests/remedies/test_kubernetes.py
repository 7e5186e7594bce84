"""Trainings on Kubernetes: what a message asks to change lets the training run."""

from pathlib import Path

import pytest

from daemon.config.loader import SettingsError, load
from tests.remedies.cases import mends

_SETTINGS = """
model:
  base: m
learning:
  where: kubernetes
artifacts_url: file:///srv/artifacts
kubernetes:
  job_template: /etc/retuned/job.yaml
"""


@mends("set kubernetes.shared_artifacts", "daemon/config/settings.py")
def test_a_folder_that_pods_mount_is_an_artifact_store(tmp_path: Path) -> None:
    file = tmp_path / "retuned.yaml"
    file.write_text(_SETTINGS, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"set kubernetes\.shared_artifacts"):
        load(file, {})

    file.write_text(_SETTINGS + "  shared_artifacts: true\n", encoding="utf-8")

    assert load(file, {}).kubernetes.shared_artifacts
