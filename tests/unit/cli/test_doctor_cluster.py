"""What ``retuned doctor`` says of the cluster that trains."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.cli.doctor.check import Check
from daemon.cli.doctor.cluster import check_cluster
from daemon.config.settings import Settings
from tests.factories.kubernetes import cluster_settings, write_template
from tests.fakes.kubernetes import Refused
from tests.servers.kubernetes_server import KubernetesServer


@pytest.fixture
def server() -> Iterator[KubernetesServer]:
    with KubernetesServer() as server:
        yield server


@pytest.fixture
def settings(server: KubernetesServer, tmp_path: Path) -> Settings:
    write_template(tmp_path)
    return cluster_settings(tmp_path, server.kubeconfig(tmp_path), nodes=2)


def only_failure(settings: Settings) -> Check:
    [failure] = [check for check in check_cluster(settings) if not check.ok]
    return failure


def test_a_cluster_that_would_take_a_job_passes_and_gets_none(
    settings: Settings, server: KubernetesServer
) -> None:
    taken, shared = check_cluster(settings)

    assert taken.ok
    assert "would take a Job in namespace training" in taken.found
    assert "pods must mount" in shared.found
    assert server.cluster.list_all("jobs")[0] == []


@pytest.mark.parametrize(
    ("forbidden", "named"),
    [
        ({"create jobs"}, "create jobs.batch"),
        ({"watch pods", "get pods/log"}, "watch pods, get pods/log"),
        ({"create services"}, "create services"),
    ],
)
def test_missing_rights_are_named(
    settings: Settings, server: KubernetesServer, forbidden: set[str], named: str
) -> None:
    server.cluster.forbidden |= forbidden

    failure = only_failure(settings)

    assert f"the daemon may not {named}" in failure.found
    assert "has the Role" in (failure.remedy or "")


def test_a_template_that_the_server_refuses_fails(settings: Settings, tmp_path: Path) -> None:
    write_template(tmp_path, imagee="typo")

    failure = only_failure(settings)

    assert 'unknown field "spec.template.spec.containers[0].imagee"' in failure.found
    assert failure.remedy == "correct kubernetes.job_template"


def test_a_template_that_is_missing_fails(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "job-template.yaml").unlink()

    assert only_failure(settings).remedy == "correct kubernetes.job_template, or mount the file"


def test_a_server_that_does_not_answer_fails(settings: Settings, server: KubernetesServer) -> None:
    server.cluster.faults.append(Refused(503, "ServiceUnavailable", "starting"))

    assert "starting" in only_failure(settings).found


def test_a_kubeconfig_that_is_missing_fails(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig.yaml").unlink()

    assert "correct the file" in (only_failure(settings).remedy or "")
