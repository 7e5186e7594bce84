"""A training on a cluster, from its files to its end: against a fake API server over HTTP, with a store in a folder."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from daemon.cluster import lifecycle
from daemon.cluster.launcher import KubernetesLauncher
from daemon.cluster.training import KubernetesTraining
from daemon.config.live import LiveSettings
from daemon.config.sections.kubernetes import KubernetesSection
from daemon.config.settings import Settings
from daemon.domain.training_job import JobState
from daemon.jobs.files import JobFiles
from daemon.runtime.build_cluster import connect
from learners.codec import event_to_json
from learners.types import Event, Failure, Progress, RunResult
from tests.factories.kubernetes import (
    PROGRESS,
    a_job,
    a_request,
    cluster_settings,
    ended,
    evicted,
    finish,
    running,
    unschedulable,
    waits,
    write_template,
)
from tests.fakes.kubernetes import FakeCluster, Refused
from tests.servers.kubernetes_server import KubernetesServer

LEDGER = "1" * 32
T = TypeVar("T")


class World:
    """A daemon's side, and the cluster's."""

    def __init__(self, folder: Path, server: KubernetesServer) -> None:
        write_template(folder)
        self.folder = folder
        self.cluster: FakeCluster = server.cluster
        self.kubeconfig = server.kubeconfig(folder)
        self.settings: Settings = cluster_settings(folder, self.kubeconfig, pending_s=600)
        self.files = JobFiles((folder / "store").as_uri(), cache=folder / "cache")
        self.now = 0.0
        self.launchers: list[KubernetesLauncher] = []
        self.launcher = self.another_daemon()

    def another_daemon(self) -> KubernetesLauncher:
        section: KubernetesSection = self.settings.kubernetes
        self.launchers.append(KubernetesLauncher(
            LiveSettings(self.settings), self.files, connect=lambda: connect(section), artifacts_url="s3://bucket", ledger=LEDGER,
            clock=lambda: self.now + time.monotonic(),
        ))  # fmt: skip
        return self.launchers[-1]

    def launch(self, run: str = "r1", *, by: KubernetesLauncher | None = None) -> KubernetesTraining:
        folder = self.folder / "runs" / run
        return (by or self.launcher).launch(a_request(folder, run), None, folder=folder)

    def set(self, **kubernetes: object) -> None:
        """Start again with other settings."""
        self.settings = cluster_settings(self.folder, self.kubeconfig, **kubernetes)
        self.launcher = self.another_daemon()

    def close(self) -> None:
        for launcher in self.launchers:
            launcher.close(5)

    def pod(self, job: KubernetesTraining) -> str:
        """The name of the newest pod of a training, once there is one."""
        return wait_for(lambda: self.pods(job.job.name), lambda pods: pods != [])[-1]

    def pods(self, job: str) -> list[str]:
        label = "batch.kubernetes.io/job-name"
        found, _ = self.cluster.list_all("pods", lambda pod: pod["metadata"]["labels"].get(label) == job)
        return [pod["metadata"]["name"] for pod in found]

    def becomes(self, pod: str, status: dict[str, Any]) -> None:
        self.cluster.patch_status("pods", pod, status)

    def jobs(self) -> list[str]:
        return [job["metadata"]["name"] for job in self.cluster.list_all("jobs")[0]]

    def digest(self, name: str) -> str:
        annotations = self.cluster.get("jobs", name)["metadata"]["annotations"]
        return str(annotations["retuned/request-digest"])


def wait_for(read: Callable[[], T], holds: Callable[[T], bool], seconds: float = 30.0) -> T:
    ends_at = time.monotonic() + seconds
    while not holds(found := read()):
        assert time.monotonic() < ends_at, found
        time.sleep(0.02)
    return found


def end_of(training: KubernetesTraining) -> RunResult | Failure:
    events: list[Event] = []

    def last() -> Event | None:
        events.extend(training.poll())
        return events[-1] if events else None

    found = wait_for(last, lambda event: isinstance(event, RunResult | Failure))
    assert isinstance(found, RunResult | Failure)
    return found


def until(training: KubernetesTraining, state: JobState, text: str = "") -> str:
    """Wait until the Job is in a state; return what it waits for."""
    status = wait_for(
        lambda: training.job, lambda status: status.state is state and text in (status.waits_for or "")
    )
    return status.waits_for or ""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(lifecycle, "_WATCH_S", 0.3)
    monkeypatch.setattr(lifecycle, "_PAUSE_S", 0.05)
    with KubernetesServer() as server:
        world = World(tmp_path, server)
        yield world
        world.close()


def test_a_training_goes_through_the_store_and_its_progress_through_the_log(world: World) -> None:
    training = world.launch()
    pod = world.pod(training)
    world.cluster.logs[pod] = f"loading a library\n{event_to_json(PROGRESS)}\nUserWarning: x\n"
    world.becomes(pod, running())
    [progress] = wait_for(training.poll, lambda events: events != [])
    assert progress == PROGRESS
    until(training, JobState.RUNNING)

    digest = world.digest(training.job.name)
    assert (world.folder / "store" / "jobs" / digest / "data.jsonl").is_file()
    made = finish(world.files, digest, world.folder)
    world.becomes(pod, ended(0, "Completed"))

    result = end_of(training)
    assert isinstance(result, RunResult)
    assert result.artifact == world.folder / "runs" / "r1" / "artifact"
    assert (result.artifact / "adapter_model.safetensors").read_bytes() == b"r1"
    assert result.digest == made.digest
    assert training.pid is None


def test_the_daemons_end_leaves_the_job_and_another_daemon_finds_it(world: World) -> None:
    first = world.launch()
    pod = world.pod(first)
    first.stop(5)
    assert not first.running
    assert first.poll() == []

    again = world.launch(by=world.another_daemon())
    world.becomes(pod, running())
    until(again, JobState.RUNNING)

    assert world.pods(again.job.name) == [pod]
    assert world.jobs() == [first.job.name]


def test_another_replica_needs_no_files_of_the_run(world: World) -> None:
    first = world.launch()
    pod = world.pod(first)
    first.stop(5)
    request = a_request(world.folder / "elsewhere")
    request.data.unlink()

    again = world.launcher.launch(request, None, folder=request.data.parent)
    finish(world.files, world.digest(first.job.name), world.folder)
    world.becomes(pod, ended(0))

    result = end_of(again)
    assert isinstance(result, RunResult)
    assert result.artifact == world.folder / "elsewhere" / "artifact"


def test_what_ended_meanwhile_is_read_from_the_store_after_the_job_is_gone(world: World) -> None:
    first = world.launch()
    world.pod(first)
    first.stop(5)
    finish(world.files, world.digest(first.job.name), world.folder)
    world.cluster.expire(first.job.name)

    again = world.launch(by=world.another_daemon())

    assert isinstance(end_of(again), RunResult)
    assert world.jobs() == []


def test_data_that_nobody_has_is_planned_again(world: World) -> None:
    request = a_request(world.folder / "runs" / "r1")
    request.data.unlink()

    failure = end_of(world.launcher.launch(request, None, folder=request.data.parent))

    assert isinstance(failure, Failure)
    assert failure.error == "NoJobData"
    assert world.jobs() == []


def test_an_abandoned_training_is_deleted_with_its_pods(world: World) -> None:
    training = world.launch()
    world.becomes(world.pod(training), running())
    until(training, JobState.RUNNING)

    began = time.monotonic()
    training.abandon(5)
    assert time.monotonic() - began < 0.5

    wait_for(world.jobs, lambda jobs: jobs == [])
    assert world.pods(training.job.name) == []
    assert training.poll() == []


def test_an_abandoned_training_is_deleted_once_the_server_answers(world: World) -> None:
    training = world.launch()
    world.pod(training)
    unavailable = Refused(503, "ServiceUnavailable", "the server is starting")
    world.cluster.faults[:] = [unavailable] * 3

    training.abandon(5)

    wait_for(world.jobs, lambda jobs: jobs == [])


def test_a_result_that_was_there_before_the_end_counts(world: World) -> None:
    training = world.launch()
    world.pod(training)
    finish(world.files, world.digest(training.job.name), world.folder)

    training.abandon(5)

    assert isinstance(end_of(training), RunResult)


def test_a_training_that_is_continued_waits_until_its_job_is_deleted(world: World) -> None:
    first = world.launch()
    old = world.pod(first)
    world.cluster.faults[:] = [Refused(503, "ServiceUnavailable", "later")] * 2
    first.abandon(0)

    again = world.launch()
    [pod] = wait_for(lambda: world.pods(again.job.name), lambda pods: pods not in ([], [old]))
    world.becomes(pod, running())
    until(again, JobState.RUNNING)

    assert not first.running


@pytest.mark.parametrize("fault", ["timeout", "drop", Refused(500, "InternalError", "etcd"),
                                   Refused(429, "TooManyRequests", "slow down"),
                                   Refused(504, "Timeout", "context deadline exceeded")])  # fmt: skip
def test_a_server_that_does_not_answer_is_asked_again(world: World, fault: Refused | str) -> None:
    world.cluster.faults[:] = [fault]

    training = world.launch()

    assert until(training, JobState.UNREACHABLE) != ""
    pod = world.pod(training)
    world.becomes(pod, running())
    until(training, JobState.RUNNING)


def test_a_watch_from_a_forgotten_version_is_begun_again(world: World) -> None:
    training = world.launch()
    pod = world.pod(training)
    for _ in range(3):
        world.cluster.forget_changes()
        time.sleep(0.1)
    world.becomes(pod, running())

    until(training, JobState.RUNNING)


def test_the_store_may_be_down_for_a_while(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [OSError("the bucket does not answer")] * 2
    read = JobFiles.end_of

    def end_of_job(files: JobFiles, digest: str) -> object:
        if answers:
            raise answers.pop()
        return read(files, digest)

    monkeypatch.setattr(JobFiles, "end_of", end_of_job)
    training = world.launch()

    assert "the bucket does not answer" in until(training, JobState.UNREACHABLE)
    world.pod(training)


#: What a pod may wait for, the state, the error once it lasts, and the remedy.
PENDING: list[tuple[dict[str, Any], JobState, str, str]] = [
    (unschedulable("0/3 nodes are available: 3 Insufficient nvidia.com/gpu."), JobState.WAITING, "Unschedulable",
     "add a node that fits"),
    (waits("ErrImagePull", "not found"), JobState.PULLING, "ImageNotPulled", "correct image or imagePullSecrets"),
    (waits("ImagePullBackOff", "Back-off"), JobState.PULLING, "ImageNotPulled", "correct image or imagePullSecrets"),
    (waits("InvalidImageName", "bad"), JobState.PULLING, "ImageNotPulled", "correct image"),
    (waits("CreateContainerConfigError", 'secret "artifact-store" not found'), JobState.PULLING, "PodNotStarted",
     "create what it names"),
    ({"phase": "Pending"}, JobState.WAITING, "NeverAdmitted", "kubectl get events"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "state", "error", "remedy"), PENDING)
def test_a_pod_that_does_not_start_fails_the_run_with_the_reason(
    world: World, status: dict[str, Any], state: JobState, error: str, remedy: str
) -> None:
    training = world.launch()
    world.becomes(world.pod(training), status)
    until(training, state)
    assert training.poll() == []

    world.now += 601
    failure = end_of(training)

    assert isinstance(failure, Failure)
    assert failure.error == error
    assert remedy in failure.message
    wait_for(world.jobs, lambda jobs: jobs == [])


def test_a_pod_whose_secret_is_missing_is_told_by_its_events(world: World) -> None:
    training = world.launch()
    pod = world.pod(training)
    world.becomes(pod, waits("ContainerCreating"))
    until(training, JobState.PULLING, "loads its image")

    world.cluster.event(pod, "FailedMount", 'MountVolume.SetUp failed: secret "ca" not found')

    assert "create the volume, Secret or ConfigMap" in until(
        training, JobState.PULLING, 'secret "ca" not found'
    )


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (
            'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
            "correct securityContext",
        ),
        ("exceeded quota: gpus, requested: requests.nvidia.com/gpu=1", "free or raise the ResourceQuota"),
        ('error looking up service account a/b: serviceaccount "b" not found', "create the ServiceAccount"),
        ("admission webhook denied it", "allow them in the namespace"),
    ],
)
def test_pods_that_are_refused_are_told_by_the_jobs_events(world: World, said: str, remedy: str) -> None:
    world.cluster.pods_refused = said
    training = world.launch()

    waits_for = until(training, JobState.WAITING, "are refused")

    assert said in waits_for
    assert remedy in waits_for
    world.now += 601
    failure = end_of(training)
    assert isinstance(failure, Failure)
    assert failure.error == "PodsRefused"


def test_a_quota_on_jobs_is_waited_for(world: World) -> None:
    world.cluster.jobs_refused = Refused(403, "Forbidden", 'jobs "x" is forbidden: exceeded quota: jobs')
    training = world.launch()

    assert "free or raise the ResourceQuota" in until(training, JobState.WAITING, "exceeded quota")


def test_a_right_that_is_missing_is_named(world: World) -> None:
    world.cluster.forbidden.add("create jobs")
    training = world.launch()

    assert "lists the rights" in until(training, JobState.WAITING, "cannot create")
    world.now += 601
    training.stop(5)
    failure = end_of(world.launch(by=another_impatient(world)))

    assert isinstance(failure, Failure)
    assert failure.error == "AccessDenied"


def test_a_job_goes_on_though_it_may_not_be_watched(world: World) -> None:
    training = world.launch()
    world.becomes(world.pod(training), running())
    until(training, JobState.RUNNING)

    world.cluster.forbidden.add("watch pods")
    until(training, JobState.UNREACHABLE, "watch the pods")
    world.now += 601
    time.sleep(0.5)

    assert training.poll() == []
    assert world.jobs() == [training.job.name]


def another_impatient(world: World) -> KubernetesLauncher:
    world.settings = world.settings.model_copy(
        update={"kubernetes": world.settings.kubernetes.model_copy(update={"pending_s": 0})}
    )
    return world.another_daemon()


def test_a_template_that_the_server_refuses_fails_the_run_at_once(world: World) -> None:
    write_template(world.folder, imagee="typo")

    failure = end_of(world.launch())

    assert isinstance(failure, Failure)
    assert (failure.error, failure.permanent) == ("BadJobTemplate", True)
    assert 'unknown field "spec.template.spec.containers[0].imagee"' in failure.message


def test_a_template_that_is_missing_fails_the_run_at_once(world: World) -> None:
    (world.folder / "job-template.yaml").unlink()

    failure = end_of(world.launch())

    assert isinstance(failure, Failure)
    assert failure.error == "BadJobTemplate"


def test_credentials_that_are_not_accepted_are_named(world: World) -> None:
    config = yaml.safe_load(world.kubeconfig.read_text())
    config["users"][0]["user"]["token"] = "expired"
    world.kubeconfig.write_text(yaml.safe_dump(config))

    assert "renew its token" in until(world.launch(), JobState.WAITING, "does not accept")


def test_a_kubeconfig_that_is_missing_is_named(world: World) -> None:
    world.kubeconfig.unlink()

    assert "correct the file" in until(world.launch(), JobState.WAITING, "kubeconfig")


def fails(
    world: World, status: dict[str, Any], reason: str = "BackoffLimitExceeded", message: str = ""
) -> Failure:
    """What becomes of a training whose pods come to this, and whose Job fails."""
    training = world.launch()
    pod = world.pod(training)
    world.becomes(pod, status)
    world.cluster.end_job(training.job.name, "Failed", reason, message)
    failure = end_of(training)
    assert isinstance(failure, Failure)
    return failure


@pytest.mark.parametrize(
    ("status", "error", "remedy"),
    [
        (ended(137, "OOMKilled"), "OutOfMemory", "raise the memory limit in kubernetes.job_template"),
        (ended(1, "Error", "Traceback: the store is gone"), "PodsFailed", "Traceback: the store is gone"),
        (
            ended(2, "Error", "No such command 'train-job'"),
            "PodsFailed",
            "use an image of the daemon's own release",
        ),
        (evicted("The node was low on resource: memory."), "PodEvicted", "priorityClassName"),
    ],
)
def test_a_job_that_fails_says_why(world: World, status: dict[str, Any], error: str, remedy: str) -> None:
    failure = fails(world, status)

    assert failure.error == error
    assert remedy in failure.message
    assert world.jobs() != []  # its log can still be read, until its TTL


def test_a_job_past_its_deadline_says_what_it_waited_for_last(world: World) -> None:
    training = world.launch()
    world.becomes(world.pod(training), unschedulable("no GPU"))
    until(training, JobState.WAITING, "no GPU")
    world.cluster.end_job(
        training.job.name, "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
    )

    failure = end_of(training)

    assert isinstance(failure, Failure)
    assert failure.error == "DeadlineExceeded"
    assert "no GPU" in failure.message
    assert "raise kubernetes.deadline_s" in failure.message


def test_what_the_pod_said_of_its_failure_counts_more(world: World) -> None:
    training = world.launch()
    pod = world.pod(training)
    said = Failure(error="Diverged", message="the loss is not finite", permanent=True)
    world.files.fail(world.digest(training.job.name), said)
    world.becomes(pod, ended(42, "Error"))
    world.cluster.end_job(training.job.name, "Failed", "PodFailurePolicy")

    assert end_of(training) == said


def test_a_job_without_a_result_says_which_store_is_meant(world: World) -> None:
    training = world.launch()
    world.becomes(world.pod(training), ended(0))

    failure = end_of(training)

    assert isinstance(failure, Failure)
    assert failure.error == "ResultMissing"
    assert "kubernetes.artifacts_url" in failure.message


def test_a_job_that_somebody_deletes_fails_the_run(world: World) -> None:
    training = world.launch()
    world.becomes(world.pod(training), running())
    until(training, JobState.RUNNING)

    world.cluster.delete("jobs", training.job.name, cascade="Background")

    failure = end_of(training)
    assert isinstance(failure, Failure)
    assert failure.error == "JobDeleted"


def test_several_nodes_have_a_service_and_wait_for_the_last(world: World) -> None:
    world.set(nodes=2)
    training = world.launch()
    first, second = wait_for(lambda: world.pods(training.job.name), lambda pods: len(pods) == 2)
    world.becomes(first, running())
    world.becomes(second, unschedulable("no GPU"))

    assert until(training, JobState.WAITING, "no GPU").startswith("1 of 2 pods run; ")
    assert [each["metadata"]["name"] for each in world.cluster.list_all("services")[0]] == [training.job.name]
    world.becomes(second, {**running(), "conditions": []})
    until(training, JobState.RUNNING)


def test_jobs_of_earlier_runs_are_deleted_and_those_of_others_are_not(world: World) -> None:
    old, current = world.launch("r1"), world.another_daemon()
    world.pod(old)
    old.stop(5)
    kept = world.launch("r2", by=current)
    world.pod(kept)
    foreign = world.cluster.get("jobs", kept.job.name)
    foreign["metadata"] |= {
        "name": "foreign",
        "labels": {**foreign["metadata"]["labels"], "retuned/ledger": "2"},
    }
    world.cluster.create("jobs", foreign)

    current.clean_up("r2")

    wait_for(world.jobs, lambda jobs: sorted(jobs) == sorted(["foreign", kept.job.name]))


def test_the_files_of_runs_that_ended_are_deleted_and_no_others(world: World) -> None:
    old = world.launch("r1")
    world.pod(old)
    old.stop(5)
    suspended = world.launch("r2")
    world.pod(suspended)
    suspended.stop(5)
    other_line = replace(a_job(world.folder / "other", "r1"), model_line="another")
    foreign = world.files.publish(other_line, world.folder / "other" / "data.jsonl")
    daemon = world.another_daemon()

    daemon.clean_up("r2")
    wait_for(lambda: runs_stored(world), lambda runs: ("support", "r1") not in runs)
    assert runs_stored(world) == {("another", "r1"), ("support", "r2")}

    daemon.discard("r2")
    wait_for(lambda: runs_stored(world), lambda runs: runs == {("another", "r1")})
    assert world.files.request(foreign).model_line == "another"


def runs_stored(world: World) -> set[tuple[str | None, str | None]]:
    return {(job.model_line, job.run) for job in world.files.stored()}


def test_progress_is_told_once(world: World) -> None:
    training = world.launch()
    pod = world.pod(training)
    world.cluster.logs[pod] = event_to_json(PROGRESS) + "\n"
    world.becomes(pod, running())
    events = wait_for(training.poll, lambda found: found != [])
    time.sleep(1.5)

    assert [*events, *training.poll()] == [PROGRESS]
    assert isinstance(PROGRESS, Progress)
    assert json.loads(event_to_json(PROGRESS))["event"] == "progress"
