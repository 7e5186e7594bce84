"""Takes one training from its files to its end: the steps that its thread makes, one after the other."""

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from daemon.cluster.diagnosis import diagnose, failure_of
from daemon.cluster.errors import (
    AccessDenied,
    BadClusterConfig,
    ClusterError,
    ClusterUnreachable,
    JobDeleted,
    PodsRefused,
    ResultMissing,
)
from daemon.cluster.facts import JobFacts, PodFacts, Reason
from daemon.cluster.manifest import JobIdentity, Manifest
from daemon.cluster.progress import newest_progress
from daemon.cluster.template import TRAINER
from daemon.domain.errors import DaemonError
from daemon.domain.training_job import JobState, JobStatus
from daemon.jobs.errors import NoJobData, NoSuchJob
from daemon.jobs.files import JobFiles
from daemon.jobs.request import JobRequest
from learners.types import Event, Failure, Progress, RunResult
from registry.errors import RegistryError

_log = logging.getLogger(__name__)

#: Of the log, at each step. Libraries write between the lines of progress.
_LOG_LINES = 20
#: Longest wait for a change of the pods, in seconds. The log is read as often.
_WATCH_S = 2.0
#: Seconds between two steps, and after one that was refused.
_PAUSE_S, _RETRY_S = 0.5, 10.0

JobEnd: TypeAlias = RunResult | Failure


class Cluster(Protocol):
    """What a training asks of the API server. Every method may raise ClusterError."""

    def create(self, manifest: Manifest) -> bool: ...

    def create_service(self, manifest: Manifest) -> None: ...

    def job(self, name: str) -> JobFacts | None: ...

    def pods(self, name: str) -> tuple[list[PodFacts], str]: ...

    def events(self, names: list[str]) -> list[Reason]: ...

    def wait(self, name: str, version: str, seconds: float) -> None: ...

    def log(self, pod: str, *, container: str, lines: int) -> list[str]: ...

    def delete(self, name: str) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPlan:
    """All that is needed to train in the cluster."""

    identity: JobIdentity
    request: JobRequest
    data: Path  # the training file on this machine; it may be missing where another replica has begun
    output: Path  # where the artifact is to be
    manifest: Callable[[], Manifest]  # reads the template. Raises ClusterError
    service: Callable[[str], Manifest] | None  # by the Job's uid; of several nodes
    nodes: int
    pending_s: float
    deadline_s: int


class JobLifecycle:
    """Follows a training on a cluster. What it knows is read anew at each step, so it may begin anywhere."""

    def __init__(
        self,
        plan: JobPlan,
        connect: Callable[[], Cluster],
        files: JobFiles,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``connect`` opens the API server. Raises ClusterError. ``clock`` counts seconds."""
        self.status = JobStatus(name=plan.identity.name, state=JobState.SUBMITTING)
        self.pause_s = _PAUSE_S  # until the next step
        self._plan = plan
        self._connect = connect
        self._connected: Cluster | None = None
        self._files = files
        self._clock = clock
        self._submitted = False
        self._job_ended = False
        self._blocked_since: float | None = None
        self._last: str | None = None  # what it waited for when that was last known
        self._progress: Progress | None = None

    @property
    def may_go_on(self) -> bool:
        """Whether there may be a Job that has not ended."""
        return self._submitted and not self._job_ended

    def step(self) -> list[Event]:
        """Go on by one step, which waits up to two seconds for something to happen; return what is new.

        Raises ClusterUnreachable and OSError where the same step is to be tried again.
        """
        self.pause_s = _PAUSE_S
        try:
            return self._follow() if self._submitted else self._submit()
        except ClusterUnreachable:
            raise
        except (AccessDenied, BadClusterConfig, PodsRefused) as error:  # these may pass
            self.pause_s = _RETRY_S
            if self._submitted:  # the Job goes on without being watched
                self._is(JobState.UNREACHABLE, str(error))
                return []
            self._is(JobState.WAITING, str(error))
            return self._blocked(error)
        except (DaemonError, RegistryError) as error:
            return [failure_from(error)]

    def unreachable(self, error: Exception) -> None:
        """Note that the last step failed and will be tried again."""
        self._is(JobState.UNREACHABLE, str(error))

    def close(self) -> None:
        """Close the connection to the API server."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    @property
    def _cluster(self) -> Cluster:
        if self._connected is None:
            self._connected = self._connect()
        return self._connected

    def abandon(self) -> list[Event]:
        """Delete the Job and its pods, unless it has finished; return the result if it has.

        Raises ClusterError and OSError where it is to be tried again.
        """
        self._is(JobState.ENDING)
        result = self._files.end_of(self._plan.identity.digest)
        self._cluster.delete(self._plan.identity.name)
        return [self._fetched(result)] if isinstance(result, RunResult) else []

    def _submit(self) -> list[Event]:
        """Store what the pods need and create the Job, unless it is there or has ended."""
        plan = self._plan
        self._is(JobState.SUBMITTING)
        end = self._files.end_of(plan.identity.digest)
        if end is not None:
            return [self._ended(end)]
        self._publish()
        created = self._cluster.create(plan.manifest())
        job = self._cluster.job(plan.identity.name)
        if job is None or job.deleting:
            return self._wait_for_deletion()
        if plan.service is not None:
            self._cluster.create_service(plan.service(job.uid))
        self._submitted = True
        doing = "created" if created else "found again"
        _log.info("Job %s is %s", job.name, doing, extra={"action": "train", "run": plan.identity.run})
        return []

    def _publish(self) -> None:
        """Store request and data, unless they are there."""
        try:
            self._files.request(self._plan.identity.digest)
        except NoSuchJob as error:
            if not self._plan.data.exists():
                raise NoJobData(
                    f"neither this replica nor the artifact store has the data of {self._plan.identity.run}; "
                    "plan the training again"
                ) from error
            self._files.publish(self._plan.request, self._plan.data)

    def _wait_for_deletion(self) -> list[Event]:
        self._is(JobState.SUBMITTING, "the Job of an earlier attempt is still being deleted")
        _, version = self._cluster.pods(self._plan.identity.name)
        self._cluster.wait(self._plan.identity.name, version, _WATCH_S)
        return []

    def _follow(self) -> list[Event]:
        name = self._plan.identity.name
        job = self._cluster.job(name)
        self._job_ended = job is None or job.deleting or job.ended
        if job is None or job.deleting:
            return [self._read_end() or failure_from(JobDeleted(
                f"somebody deleted Job {name} before it had a result; `retuned train` starts another training"
            ))]  # fmt: skip
        pods, version = self._cluster.pods(name)
        if job.ended:
            return [self._read_end() or failure_from(self._failure(job, pods))]
        found = diagnose(job, pods, self._events(pods), nodes=self._plan.nodes)
        self._is(found.state, found.waits_for)
        if found.problem is not None:
            if events := self._blocked(found.problem):
                return events
        else:
            self._blocked_since = None
        news = self._read_progress(pods) if found.state is JobState.RUNNING else []
        if not news:
            self._cluster.wait(name, version, _WATCH_S)
        return news

    def _events(self, pods: list[PodFacts]) -> list[Reason]:
        """Return the events that may say what a Job waits for; none are read while its pods run."""
        pending = [pod.name for pod in pods if pod.pending]
        return self._cluster.events(pending or [self._plan.identity.name]) if pending or not pods else []

    def _blocked(self, problem: ClusterError) -> list[Event]:
        """Return the failure if something has been wrong for too long, else nothing: it may pass."""
        now = self._clock()
        if self._blocked_since is None:
            self._blocked_since = now
        if now - self._blocked_since < self._plan.pending_s:
            return []
        return [failure_from(problem)]

    def _read_progress(self, pods: list[PodFacts]) -> list[Event]:
        first = min(
            (pod for pod in pods if pod.running), key=lambda pod: (pod.index or 0, pod.name), default=None
        )
        if first is None:
            return []
        progress = newest_progress(self._cluster.log(first.name, container=TRAINER, lines=_LOG_LINES))
        if progress is None or progress == self._progress:
            return []
        self._progress = progress
        return [progress]

    def _read_end(self) -> Event | None:
        """Return how the training ended, as the artifact store says; None if it says nothing."""
        end = self._files.end_of(self._plan.identity.digest)
        return None if end is None else self._ended(end)

    def _ended(self, end: JobEnd) -> Event:
        return self._fetched(end) if isinstance(end, RunResult) else end

    def _fetched(self, result: RunResult) -> RunResult:
        self._is(JobState.FETCHING)
        shutil.rmtree(self._plan.output, ignore_errors=True)  # of an attempt that was cut short
        self._plan.output.parent.mkdir(parents=True, exist_ok=True)
        return self._files.fetch_artifact(result, self._plan.output)

    def _failure(self, job: JobFacts, pods: list[PodFacts]) -> ClusterError:
        if not job.complete:
            return failure_of(job, pods, last=self._last, deadline_s=self._plan.deadline_s)
        return ResultMissing(
            f"Job {job.name} is complete, but the artifact store has no result of it; have kubernetes.artifacts_url and the "
            "pods' credentials name the daemon's own store"
        )

    def _is(self, state: JobState, waits_for: str | None = None) -> None:
        if state is not JobState.UNREACHABLE:
            self._last = waits_for
        self.status = JobStatus(name=self._plan.identity.name, state=state, waits_for=waits_for)


def failure_from(error: Exception) -> Failure:
    """Return an error as the event that ends a run."""
    return Failure(
        error=type(error).__name__, message=str(error), permanent=getattr(error, "permanent", True)
    )
