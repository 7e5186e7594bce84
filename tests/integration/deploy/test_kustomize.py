"""The plain manifests: kustomize builds them, and they are what the chart makes."""

import pytest
import yaml

from deploy.helm.programs import run
from deploy.kustomize.generate import BASE, FOLDER, OVERLAYS, files, manifests, present
from tests.support.chart import require_programs


@pytest.fixture(autouse=True)
def programs() -> None:
    require_programs()


def test_every_file_is_what_the_chart_gives() -> None:
    wanted = files()

    assert present() == wanted.keys()
    for name, text in wanted.items():
        assert (FOLDER / name).read_text("utf-8") == text, f"{name} is out of date: run make docs"


@pytest.mark.parametrize(
    ("folder", "mode"), [("base", BASE), *((f"overlays/{mode}", mode) for mode in OVERLAYS)]
)
def test_kustomize_builds_what_helm_makes(folder: str, mode: str) -> None:
    built = list(yaml.safe_load_all(run("kubectl", "kustomize", str(FOLDER / folder))))

    assert {(each["kind"], each["metadata"]["name"]): each for each in built} == manifests(mode)
