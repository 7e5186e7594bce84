"""What the daemon relies on of an API server of Kubernetes.

By default on our fake. With RETUNED_TEST_KUBECONFIG on the cluster that it names, which needs controllers but no nodes: the
suite says itself what becomes of pods. Its user may make namespaces there.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from lightkube import KubeConfig
from lightkube.config.client_adapter import user_auth, verify_cluster

from daemon.cluster.api import ClusterApi, open_cluster
from daemon.cluster.errors import BadJobTemplate, ClusterUnreachable, NoSuchPlace
from daemon.cluster.facts import JobFacts, PodFacts
from daemon.cluster.manifest import JOB, LEDGER, JobIdentity, Manifest, job_manifest, service_manifest
from daemon.cluster.rights import needed_rights
from daemon.cluster.template import read_template
from daemon.config.sections.kubernetes import KubernetesSection
from tests.factories.kubernetes import ended, running, unschedulable, write_template
from tests.servers.kubernetes_server import NAMESPACE, KubernetesServer

REAL = os.environ.get("RETUNED_TEST_KUBECONFIG")


@dataclass
class World:
    """A cluster, one that watches over it, and a Job that is not created yet."""

    api: ClusterApi
    admin: httpx2.Client
    kubeconfig: Path
    namespace: str
    manifest: Manifest
    identity: JobIdentity

    @property
    def name(self) -> str:
        return self.identity.name

    def job(self) -> JobFacts:
        job = self.api.job(self.name)
        assert job is not None
        return job

    def pods(self, count: int) -> list[PodFacts]:
        """The pods of the Job, once there are so many."""
        return wait_for(lambda: self.api.pods(self.name)[0], lambda pods: len(pods) == count)

    def becomes(self, pod: str, status: dict[str, Any]) -> None:
        """Say what a kubelet would."""
        self.patch(f"pods/{pod}/status", {"status": status})

    def patch(self, path: str, change: dict[str, Any]) -> None:
        kind = "application/strategic-merge-patch+json"
        answer = self.admin.patch(self.path(path), json=change, headers={"Content-Type": kind})
        assert answer.is_success, answer.text

    def path(self, path: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/{path}"


T = TypeVar("T")


def wait_for(read: Callable[[], T], holds: Callable[[T], bool], seconds: float = 20.0) -> T:
    ends_at = time.monotonic() + seconds
    while not holds(found := read()):
        assert time.monotonic() < ends_at, found
        time.sleep(0.05)
    return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    if REAL:
        yield from _world(tmp_path, Path(REAL), f"retuned-test-{uuid.uuid4().hex[:8]}")
        return
    with KubernetesServer() as server:
        yield from _world(tmp_path, server.kubeconfig(tmp_path), NAMESPACE)


def _world(folder: Path, kubeconfig: Path, namespace: str) -> Iterator[World]:
    with _admin(kubeconfig) as admin:
        if REAL:
            _make_namespace(admin, namespace)
        identity = JobIdentity(
            digest=uuid.uuid4().hex * 2, model_line="support", run="r1", ledger=uuid.uuid4().hex
        )
        api = open_cluster(kubeconfig=kubeconfig, namespace=namespace)
        try:
            yield World(api, admin, kubeconfig, namespace, a_manifest(folder, identity), identity)
        finally:
            api.close()
            if REAL:
                admin.delete(f"/api/v1/namespaces/{namespace}")


def a_manifest(folder: Path, identity: JobIdentity, **settings: int) -> Manifest:
    return job_manifest(
        identity,
        read_template(write_template(folder)),
        KubernetesSection(**settings),
        artifacts_url="s3://bucket",
        deadline_s=600,
    )


def _admin(kubeconfig: Path) -> httpx2.Client:
    config = KubeConfig.from_file(kubeconfig).get()
    assert config is not None
    assert config.user is not None
    tls = verify_cluster(config.cluster, config.user, config.abs_file)
    return httpx2.Client(base_url=config.cluster.server, verify=tls, auth=user_auth(config.user))


def _make_namespace(admin: httpx2.Client, namespace: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    admin.post("/api/v1/namespaces", json={"metadata": {"name": namespace, "labels": labels}})
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    wait_for(lambda: admin.get(account).status_code, lambda code: code == HTTPStatus.OK)


def test_a_second_creation_finds_the_first_job(world: World) -> None:
    assert world.api.create(world.manifest)
    uid = world.job().uid

    assert not world.api.create(world.manifest)
    assert world.job().uid == uid
    assert not world.job().ended


def test_a_job_that_is_not_there_is_none(world: World) -> None:
    assert world.api.job(world.name) is None
    world.api.delete(world.name)


def test_a_job_is_checked_without_being_created(world: World) -> None:
    world.api.check(world.manifest)

    assert world.api.job(world.name) is None


@pytest.mark.parametrize("wrong", [{"imagee": "typo"}, {"image": ""}])
def test_a_template_that_the_server_refuses_says_where(world: World, wrong: dict[str, str]) -> None:
    world.manifest["spec"]["template"]["spec"]["containers"][0].update(wrong)

    with pytest.raises(BadJobTemplate, match=r"image.*; correct kubernetes\.job_template"):
        world.api.create(world.manifest)


def test_jobs_are_found_by_their_ledger(world: World) -> None:
    world.api.create(world.manifest)

    assert [job.name for job in world.api.jobs({LEDGER: world.identity.ledger})] == [world.name]
    assert world.api.jobs({LEDGER: "another"}) == []


def test_pods_are_pending_then_run_then_end(world: World) -> None:
    world.api.create(world.manifest)
    [pod] = world.pods(1)
    assert (pod.pending, pod.running, pod.node) == (True, False, None)

    world.becomes(pod.name, unschedulable("0/3 nodes are available: 3 Insufficient nvidia.com/gpu."))
    [waiting] = world.pods(1)
    world.becomes(pod.name, running())
    [runs] = world.pods(1)
    world.becomes(pod.name, ended(0, "Completed"))

    assert "Insufficient nvidia.com/gpu" in str(waiting.unscheduled)
    assert runs.running
    done = wait_for(lambda: world.job(), lambda job: job.ended)
    assert (done.complete, done.failed) == (True, None)


def test_pods_that_fail_too_often_fail_the_job(world: World, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, world.identity, backoff_limit=0)
    world.api.create(manifest)
    [pod] = world.pods(1)
    world.becomes(pod.name, ended(137, "OOMKilled"))

    job = wait_for(lambda: world.job(), lambda job: job.ended)

    assert not job.complete
    assert "BackoffLimitExceeded" in str(job.failed)
    [failed] = world.api.pods(world.name)[0]
    assert failed.ended is not None
    assert (failed.ended.exit_code, failed.ended.reason.word) == (137, "OOMKilled")


def test_a_deleted_job_takes_its_pods_and_its_service_with_it(world: World) -> None:
    world.api.create(world.manifest)
    world.api.create_service(service_manifest(world.identity, job_uid=world.job().uid))
    world.pods(1)

    world.api.delete(world.name)

    wait_for(lambda: world.api.job(world.name), lambda job: job is None)
    wait_for(lambda: pods_left(world), lambda pods: pods == [])
    service = world.path(f"services/{world.name}")
    wait_for(lambda: world.admin.get(service).status_code, lambda code: code == HTTPStatus.NOT_FOUND)


def pods_left(world: World) -> list[str]:
    """The pods that do not end: where there is no kubelet, nobody confirms an end."""
    selector = {"labelSelector": f"{JOB}={world.identity.digest[:20]}"}
    found = world.admin.get(world.path("pods"), params=selector).json()["items"]
    return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]


def test_a_service_may_be_there_already(world: World) -> None:
    world.api.create(world.manifest)
    service = service_manifest(world.identity, job_uid=world.job().uid)

    world.api.create_service(service)
    world.api.create_service(service)


def test_pods_that_are_refused_are_told_by_events_alone(world: World) -> None:
    """A container that may become root violates what the namespace enforces."""
    if not REAL:
        pytest.skip("the fake refuses pods when it is told to: tests/unit/cluster/test_training.py")
    [trainer] = world.manifest["spec"]["template"]["spec"]["containers"]
    trainer["securityContext"] = {"privileged": True}
    world.api.create(world.manifest)

    events = wait_for(lambda: world.api.events([world.name]), lambda found: found != [])

    assert events[0].word == "FailedCreate"
    assert "violates PodSecurity" in events[0].message
    assert (world.api.pods(world.name)[0], world.job().ended) == ([], False)


def test_several_nodes_are_pods_with_an_index(world: World, tmp_path: Path) -> None:
    world.api.create(a_manifest(tmp_path, world.identity, nodes=3))

    assert sorted(pod.index or 0 for pod in world.pods(3)) == [0, 1, 2]


def test_waiting_ends_with_a_change(world: World) -> None:
    world.api.create(world.manifest)
    [pod] = world.pods(1)
    version = world.api.pods(world.name)[1]
    world.becomes(pod.name, running())

    began = time.monotonic()
    world.api.wait(world.name, version, 20)

    assert time.monotonic() - began < 10


def test_waiting_ends_without_a_change(world: World) -> None:
    world.api.create(world.manifest)
    world.pods(1)
    _, version = world.api.pods(world.name)

    began = time.monotonic()
    for _ in range(3):
        world.api.wait(world.name, version, 0.3)

    assert 0.2 < time.monotonic() - began < 10


def test_a_pod_without_a_node_has_no_log(world: World) -> None:
    world.api.create(world.manifest)
    [pod] = world.pods(1)

    assert world.api.log(pod.name, container="trainer", lines=5) == []
    assert world.api.log("none", container="trainer", lines=5) == []


def test_a_namespace_that_is_not_there_is_named(world: World) -> None:
    elsewhere = open_cluster(kubeconfig=world.kubeconfig, namespace="not-there")

    with pytest.raises(NoSuchPlace, match=r"not-there.*correct kubernetes\.namespace"):
        elsewhere.create(world.manifest)

    elsewhere.close()


def test_rights_can_be_asked_for(world: World) -> None:
    assert all(map(world.api.may, needed_rights(KubernetesSection(nodes=2))))


def test_a_server_that_is_gone_is_unreachable(world: World, tmp_path: Path) -> None:
    with KubernetesServer() as gone:
        api = open_cluster(kubeconfig=gone.kubeconfig(tmp_path), namespace=None)

    with pytest.raises(ClusterUnreachable, match="does not answer"):
        api.job("any")

    api.close()
