"""Says what a training's Job waits for, and why it failed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.cluster.errors import (
    ClusterError,
    DeadlineExceeded,
    ImageNotPulled,
    NeverAdmitted,
    OutOfMemory,
    PodEvicted,
    PodNotStarted,
    PodsFailed,
    PodsRefused,
    Unschedulable,
)
from daemon.cluster.facts import Ended, JobFacts, PodFacts, Reason
from daemon.domain.training_job import JobState
from daemon.jobs.exit_codes import PodExit

_IMAGE = {
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
    "RegistryUnavailable", "SignatureValidationFailed",
}  # fmt: skip
_CONTAINER = {
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError",
    "PreStartHookError", "PostStartHookError", "StartError",
}  # fmt: skip
#: Events of a pod that is on a node and does not start.
STUCK = {"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedMapVolume", "NetworkNotReady"}
#: Events of a Job whose pods are refused.
REFUSED = {"FailedCreate"}
_LONGEST = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What a Job is doing that has not ended."""

    state: JobState
    waits_for: str | None = None
    problem: ClusterError | None = None  # what ends the run if it lasts


def diagnose(job: JobFacts, pods: Sequence[PodFacts], events: Sequence[Reason], *, nodes: int) -> Diagnosis:
    """Say what a Job is doing. ``events`` are its own and those of its pods."""
    pending = [pod for pod in pods if pod.pending]
    running = [pod for pod in pods if pod.running]
    if job.suspended:
        return _waits("is suspended, as Kueue does with a Job until its queue admits it")
    if running and (len(running) >= nodes or not pending):
        return Diagnosis(state=JobState.RUNNING)
    found = _of_pending(pending, events) if pending else _without_pods(pods, events)
    if running and found.waits_for is not None:
        text = f"{len(running)} of {nodes} pods run; {found.waits_for}"
        return Diagnosis(state=found.state, waits_for=text, problem=found.problem)
    return found


def failure_of(job: JobFacts, pods: Sequence[PodFacts], *, last: str | None, deadline_s: int) -> ClusterError:
    """Say why a Job failed. ``last`` is what it waited for when it was last seen."""
    reason = job.failed or Reason(word="Failed")
    seen = f"; last seen: {last}" if last else ""
    evicted = next((pod.evicted for pod in _newest_first(pods) if pod.evicted), None)
    if reason.word == "DeadlineExceeded":
        cause = f"; a pod was evicted: {evicted}" if evicted else ""
        return DeadlineExceeded(
            f"Job {job.name} took longer than {deadline_s} s{seen}{cause}; raise kubernetes.deadline_s (by default "
            "learning.timeout_s), or lower policy.max_new_conversations"
        )
    ended = _failed_container(pods)
    if ended is not None and ended.reason.word == "OOMKilled":
        return OutOfMemory(
            f"a pod of Job {job.name} was killed for its memory; raise the memory limit in kubernetes.job_template, or "
            "lower learning.tokens_per_step or learning.max_tokens"
        )
    if ended is not None and ended.exit_code == PodExit.MISUSED:
        return PodsFailed(
            f"the pods of Job {job.name} do not understand their command{_said(ended)}; "
            "use an image of the daemon's own release in kubernetes.job_template"
        )
    if ended is not None:
        return PodsFailed(
            f"the pods of Job {job.name} failed ({reason}); the last ended with exit code {ended.exit_code}, "
            f"{ended.reason.word}{_said(ended)}; `kubectl logs job/{job.name}` has more"
        )
    if evicted is not None:
        return PodEvicted(
            f"the pods of Job {job.name} were evicted ({evicted}); give them a priorityClassName, or requests that equal "
            "their limits, in kubernetes.job_template"
        )
    return PodsFailed(f"Job {job.name} failed ({reason}){seen}; `kubectl describe job/{job.name}` has more")


def _of_pending(pods: Sequence[PodFacts], events: Sequence[Reason]) -> Diagnosis:
    diagnoses = [_of_pod(pod, events) for pod in pods]
    return next((each for each in diagnoses if each.problem is not None), diagnoses[0])


def _of_pod(pod: PodFacts, events: Sequence[Reason]) -> Diagnosis:
    if pod.unscheduled is not None and pod.unscheduled.word == "SchedulingGated":
        return _waits(f"pod {pod.name} is held by a scheduling gate")
    if pod.unscheduled is not None:
        remedy = "add a node that fits, or correct resources, nodeSelector or tolerations in kubernetes.job_template"
        return _blocked(Unschedulable(f"no node takes pod {pod.name} ({_cut(pod.unscheduled)}); {remedy}"))
    if pod.waiting is not None and pod.waiting.word in _IMAGE:
        remedy = "correct image or imagePullSecrets in kubernetes.job_template"
        return _blocked(
            ImageNotPulled(f"the image of pod {pod.name} can't be pulled ({_cut(pod.waiting)}); {remedy}"),
            JobState.PULLING,
        )
    if pod.waiting is not None and pod.waiting.word in _CONTAINER:
        remedy = "create what it names, or correct kubernetes.job_template"
        return _blocked(
            PodNotStarted(f"pod {pod.name} can't start ({_cut(pod.waiting)}); {remedy}"), JobState.PULLING
        )
    stuck = next((event for event in events if event.word in STUCK), None)
    if stuck is not None:
        remedy = "create the volume, Secret or ConfigMap that it names, or correct kubernetes.job_template"
        return _blocked(
            PodNotStarted(f"pod {pod.name} can't start ({_cut(stuck)}); {remedy}"), JobState.PULLING
        )
    if pod.waiting is not None or pod.node is not None:
        return Diagnosis(state=JobState.PULLING, waits_for=f"pod {pod.name} loads its image and volumes")
    return _waits(f"pod {pod.name} has no node yet")


def _without_pods(pods: Sequence[PodFacts], events: Sequence[Reason]) -> Diagnosis:
    refused = next((event for event in events if event.word in REFUSED), None)
    if refused is not None and not pods:
        return _blocked(
            PodsRefused(f"the Job's pods are refused ({_cut(refused)}); {_refusal_remedy(refused.message)}")
        )
    if pods:
        return _waits("its pods have ended, and the cluster starts others or ends it")
    return _waits("its pods are not there yet")


def _refusal_remedy(message: str) -> str:
    if "violates PodSecurity" in message:
        return "correct securityContext in kubernetes.job_template as it says"
    if "exceeded quota" in message or "must specify" in message:
        return "free or raise the ResourceQuota, or correct resources in kubernetes.job_template"
    if "serviceaccount" in message:
        return "create the ServiceAccount, or correct serviceAccountName in kubernetes.job_template"
    return "allow them in the namespace, or correct kubernetes.job_template"


def _waits(text: str) -> Diagnosis:
    remedy = "`kubectl get events` may tell"
    problem = NeverAdmitted(f"no pod of the training ever ran: {text}; {remedy}")
    return Diagnosis(state=JobState.WAITING, waits_for=text, problem=problem)


def _blocked(problem: ClusterError, state: JobState = JobState.WAITING) -> Diagnosis:
    return Diagnosis(state=state, waits_for=str(problem), problem=problem)


def _failed_container(pods: Sequence[PodFacts]) -> Ended | None:
    """Return how the newest pod ended that failed by itself; of memory, if any did: the others only followed."""
    ends = [pod.ended for pod in _newest_first(pods) if pod.ended and pod.ended.exit_code and not pod.evicted]
    of_memory = (each for each in ends if each.reason.word == "OOMKilled")
    return next(of_memory, next(iter(ends), None))


def _newest_first(pods: Sequence[PodFacts]) -> list[PodFacts]:
    return sorted(pods, key=lambda pod: pod.created, reverse=True)


def _said(ended: Ended) -> str:
    return f" ({_cut(ended.reason.message)})" if ended.reason.message else ""


def _cut(reason: Reason | str) -> str:
    text = str(reason)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
