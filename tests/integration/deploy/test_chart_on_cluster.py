"""The chart on the cluster that RETUNED_TEST_KUBECONFIG names: installed, changed, rolled back, removed; state stays.

Without the variable these tests are skipped, in CI too: it takes a control plane with its controllers, but no nodes.
"""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.helm.programs import run
from deploy.helm.values import CHART
from tests.support.chart import MODES
from tests.support.helpers import eventually

KUBECONFIG = os.environ.get("RETUNED_TEST_KUBECONFIG", "")
pytestmark = pytest.mark.skipif(not KUBECONFIG, reason="RETUNED_TEST_KUBECONFIG names no cluster")


@pytest.fixture
def namespace() -> Iterator[str]:
    """A namespace that admits restricted pods alone."""
    name = f"retuned-{uuid.uuid4().hex[:8]}"
    run("kubectl", "--kubeconfig", KUBECONFIG, "create", "namespace", name)
    enforced = "pod-security.kubernetes.io/enforce=restricted"
    run("kubectl", "--kubeconfig", KUBECONFIG, "label", "namespace", name, enforced)
    yield name
    run("kubectl", "--kubeconfig", KUBECONFIG, "delete", "namespace", name, "--wait=false")


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """The chart for any server: one that was built by hand names no version that Helm could compare."""
    copy = tmp_path / "retuned"
    shutil.copytree(CHART, copy)
    lines = (copy / "Chart.yaml").read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("kubeVersion")]
    (copy / "Chart.yaml").write_text("".join(kept), "utf-8")
    return copy


def helm(namespace: str) -> Callable[..., str]:
    return lambda *arguments: run("helm", "--kubeconfig", KUBECONFIG, "--namespace", namespace, *arguments)


def uids(namespace: str, kind: str) -> dict[str, str]:
    """The objects of a kind, by their names."""
    found = run(
        "kubectl", "--kubeconfig", KUBECONFIG, "--namespace", namespace, "get", kind, "--output", "json"
    )
    metadata = [each["metadata"] for each in json.loads(found)["items"]]
    return {each["name"]: each["uid"] for each in metadata if "deletionTimestamp" not in each}


def wait_for_pods(namespace: str, count: int, *, other_than: str = "") -> str:
    """Wait for so many pods, and return the uid of the first one."""

    def first() -> str:
        found = uids(namespace, "pods")
        uid = found.get("retuned-0", "")
        return uid if len(found) == count and uid != other_than else ""

    return eventually(first, 60)


def test_state_outlives_changes_rollbacks_and_the_release(namespace: str, chart: Path) -> None:
    def upgrade(mode: str, *sets: str) -> None:
        values = str(chart / f"values-{mode}.yaml")
        given = [part for each in sets for part in ("--set", each)]
        helm(namespace)(
            "upgrade", "--install", "retuned", str(chart), "--reset-values", "--values", values, *given
        )

    upgrade("embedded")
    first = wait_for_pods(namespace, 1)
    state = uids(namespace, "persistentvolumeclaims")

    upgrade(
        "embedded",
        "image.tag=9.9.9",
        "config.monitors.seed=7",
        "extraEnv[0].name=TMPDIR",
        "extraEnv[0].value=/x",
    )
    changed = wait_for_pods(namespace, 1, other_than=first)
    helm(namespace)("rollback", "retuned", "1")
    wait_for_pods(namespace, 1, other_than=changed)
    for mode, pods in zip(MODES, (1, 3, 1), strict=True):
        upgrade(mode)
        wait_for_pods(namespace, pods)
    helm(namespace)("uninstall", "retuned")

    assert state.items() <= uids(namespace, "persistentvolumeclaims").items()
