"""What the API server says of a training's Job and its pods, read from its documents. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Document: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """A reason as Kubernetes gives it: a word, and a sentence."""

    word: str
    message: str = ""

    def __str__(self) -> str:
        return f"{self.word}: {self.message}" if self.message else self.word


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a container ended."""

    reason: Reason
    exit_code: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PodFacts:
    """One pod of a training."""

    name: str
    created: str  # RFC 3339: of two pods the later text is the newer one
    phase: str
    node: str | None
    index: int | None  # of an Indexed Job's pod
    evicted: Reason | None
    unscheduled: Reason | None  # why it has no node; None if it has one, or nobody said
    waiting: Reason | None  # why a container does not run yet
    ended: Ended | None

    @property
    def running(self) -> bool:
        """Whether its containers run."""
        return self.phase == "Running" and self.ended is None and self.waiting is None

    @property
    def pending(self) -> bool:
        """Whether its containers have not run yet."""
        return not self.running and self.phase in ("Pending", "Running") and self.ended is None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFacts:
    """A Job, or a TrainJob."""

    name: str
    uid: str
    labels: Mapping[str, str]
    deleting: bool
    suspended: bool
    complete: bool
    failed: Reason | None

    @property
    def ended(self) -> bool:
        """Whether it starts no pods any more."""
        return self.complete or self.failed is not None


def job_facts(document: Document) -> JobFacts:
    """Read a Job or TrainJob."""
    metadata, spec = document["metadata"], document.get("spec") or {}
    conditions = _conditions(document)
    return JobFacts(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        labels=metadata.get("labels") or {},
        deleting=metadata.get("deletionTimestamp") is not None,
        suspended=bool(spec.get("suspend")),
        complete="Complete" in conditions,
        failed=conditions.get("Failed"),  # FailureTarget comes a second before, when pods still end
    )


def pod_facts(document: Document) -> PodFacts:
    """Read a pod."""
    metadata, status = document["metadata"], document.get("status") or {}
    conditions = _conditions(document)
    index = (metadata.get("annotations") or {}).get("batch.kubernetes.io/job-completion-index")
    states = list(_states(status))
    return PodFacts(
        name=metadata["name"],
        created=metadata.get("creationTimestamp") or "",
        phase=status.get("phase") or "Pending",
        node=(document.get("spec") or {}).get("nodeName"),
        index=int(index) if index is not None else None,
        evicted=_evicted(status, conditions),
        unscheduled=_unscheduled(status),
        waiting=_first_waiting(states),
        ended=_first_ended(states, status.get("phase")),
    )


def event_reason(document: Document) -> Reason:
    """Read an event."""
    return Reason(word=document.get("reason") or "", message=_one_line(document.get("message")))


def _conditions(document: Document) -> dict[str, Reason]:
    """Return the conditions that hold."""
    found = (document.get("status") or {}).get("conditions") or []
    return {
        each["type"]: Reason(word=each.get("reason") or each["type"], message=_one_line(each.get("message")))
        for each in found
        if each.get("status") == "True"
    }


def _states(status: Document) -> Iterator[Document]:
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind) or []:
            yield container.get("state") or {}


def _first_waiting(states: list[Document]) -> Reason | None:
    """Return why a container waits; one that waits for others only says so last."""
    found = [state["waiting"] for state in states if state.get("waiting")]
    reasons = [
        Reason(word=each.get("reason") or "Waiting", message=_one_line(each.get("message"))) for each in found
    ]
    return min(reasons, key=lambda reason: reason.word == "PodInitializing", default=None)


def _first_ended(states: list[Document], phase: object) -> Ended | None:
    """Return how the container ended that failed, or else any. An init container that is done has not ended the pod."""
    found = [state["terminated"] for state in states if state.get("terminated")]
    failures = [each for each in found if each.get("exitCode")]
    if phase not in ("Succeeded", "Failed") and not failures:
        return None
    chosen = next(iter(failures or found), None)
    if chosen is None:
        return None
    reason = Reason(word=chosen.get("reason") or "Error", message=_one_line(chosen.get("message")))
    return Ended(reason=reason, exit_code=int(chosen.get("exitCode") or 0))


def _evicted(status: Document, conditions: Mapping[str, Reason]) -> Reason | None:
    if status.get("reason") in ("Evicted", "NodeLost", "Shutdown", "Terminated", "NodeShutdown"):
        return Reason(word=status["reason"], message=_one_line(status.get("message")))
    return conditions.get("DisruptionTarget")


def _unscheduled(status: Document) -> Reason | None:
    for each in status.get("conditions") or []:
        if each["type"] == "PodScheduled" and each.get("status") == "False":
            return Reason(word=each.get("reason") or "Unschedulable", message=_one_line(each.get("message")))
    return None


def _one_line(text: object) -> str:
    return " ".join(str(text or "").split())
