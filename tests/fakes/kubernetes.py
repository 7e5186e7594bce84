"""An API server of Kubernetes with its Job controller, in memory.

It keeps what its clients rely on: resource versions, watches that go on from one, conflicts (409), versions that are too old
to go on from (410), rights (403), fields that nobody knows (400), pods that outlive their Job unless told otherwise. There is
no kubelet: a test says what becomes of pods, as one does on a control plane without nodes.
"""

import copy
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

Document: TypeAlias = dict[str, Any]

_KINDS = {"jobs": "Job", "pods": "Pod", "services": "Service", "events": "Event", "trainjobs": "TrainJob",
          "namespaces": "Namespace"}  # fmt: skip
_CONTAINER = {"name", "image", "command", "args", "env", "envFrom", "resources", "volumeMounts", "securityContext",
              "terminationMessagePolicy", "imagePullPolicy", "ports", "workingDir"}  # fmt: skip
_JOB_NAME, _INDEX = "batch.kubernetes.io/job-name", "batch.kubernetes.io/job-completion-index"


class Refused(Exception):
    """The server answers with an error."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason

    @property
    def status(self) -> Document:
        return {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": str(self),
            "reason": self.reason, "code": self.code,
        }  # fmt: skip


class Change(NamedTuple):
    """What a watch tells."""

    version: int
    kind: str  # ADDED, MODIFIED or DELETED
    plural: str
    document: Document


@dataclass
class FakeCluster:
    """The state of a cluster. Every method may be called by many threads."""

    #: Of the next requests: what each answers instead, or None for a proper answer. "timeout" never answers.
    faults: list[Refused | str | None] = field(default_factory=list)
    #: Verbs and resources that are forbidden, such as "create jobs".
    forbidden: set[str] = field(default_factory=set)
    #: Why every pod is refused, as admission says it; None: none is.
    pods_refused: str | None = None
    #: Why every creation of a Job is refused, such as by a quota.
    jobs_refused: Refused | None = None
    logs: dict[str, str] = field(default_factory=dict)
    #: What was asked for, such as "create jobs".
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._objects: dict[tuple[str, str], Document] = {}
        self._changes: list[Change] = []
        self._version = 100
        self._oldest = 0  # changes up to this version are forgotten
        self._changed = threading.Condition(threading.RLock())

    def check(self, verb: str, resource: str) -> None:
        """Answer a request otherwise than it should be, where the test wants that. Raises Refused."""
        with self._changed:
            self.requests.append(f"{verb} {resource}")
            if f"{verb} {resource}" in self.forbidden:
                raise Refused(
                    403,
                    "Forbidden",
                    f'{resource} is forbidden: User "daemon" cannot {verb} resource "{resource}"',
                )

    def next_fault(self) -> Refused | str | None:
        with self._changed:
            return self.faults.pop(0) if self.faults else None

    def create(self, plural: str, document: Document, *, dry_run: bool = False) -> Document:
        """Raises Refused: the name is taken, or the document is not what it should be."""
        with self._changed:
            name = document["metadata"]["name"]
            if plural == "jobs":
                self._admit(document)
            if (plural, name) in self._objects:
                raise Refused(409, "AlreadyExists", f'{plural} "{name}" already exists')
            made = copy.deepcopy(document)
            made["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": _now()}
            if dry_run:
                return made
            self._put(plural, made, "ADDED")
            if plural == "jobs":
                self._start_pods(made)
            return copy.deepcopy(self._objects[plural, name])

    def get(self, plural: str, name: str) -> Document:
        """Raises Refused if it is not there."""
        with self._changed:
            if (plural, name) not in self._objects:
                raise Refused(404, "NotFound", f'{plural} "{name}" not found')
            return copy.deepcopy(self._objects[plural, name])

    def list_all(
        self, plural: str, wanted: Callable[[Document], bool] = lambda _: True
    ) -> tuple[list[Document], int]:
        """Return what there is, and its version."""
        with self._changed:
            found = [each for (kind, _), each in self._objects.items() if kind == plural and wanted(each)]
            return copy.deepcopy(found), self._version

    def replace(self, plural: str, name: str, document: Document) -> Document:
        """Raises Refused if the document was read before its newest change."""
        with self._changed:
            current = self.get(plural, name)
            given = document["metadata"].get("resourceVersion")
            if given not in (None, current["metadata"]["resourceVersion"]):
                raise Refused(
                    409,
                    "Conflict",
                    f'{plural} "{name}" was changed; apply your changes to the newest version',
                )
            self._put(plural, copy.deepcopy(document), "MODIFIED")
            if plural == "pods":
                self._count_pods(document["metadata"]["labels"].get(_JOB_NAME, ""))
            return self.get(plural, name)

    def patch_status(self, plural: str, name: str, status: Mapping[str, Any]) -> Document:
        """Set parts of a status."""
        with self._changed:
            document = self.get(plural, name)
            document["status"] = {**document.get("status", {}), **status}
            return self.replace(plural, name, document)

    def delete(self, plural: str, name: str, *, cascade: str | None = None) -> None:
        """Delete an object. Pods of a Job stay unless ``cascade`` says that they go with it."""
        with self._changed:
            document = self.get(plural, name)
            del self._objects[plural, name]
            self._tell("DELETED", plural, document)
            if plural in ("jobs", "trainjobs") and cascade in ("Background", "Foreground"):
                for pod in self._pods_of(name):
                    self.delete("pods", pod["metadata"]["name"])
                for service in self.list_all("services")[0]:
                    owners = service["metadata"].get("ownerReferences", [])
                    if any(owner["uid"] == document["metadata"]["uid"] for owner in owners):
                        self.delete("services", service["metadata"]["name"])

    def watch(
        self, plural: str, version: int, seconds: float, wanted: Callable[[Document], bool] = lambda _: True
    ) -> Iterator[Change | Refused]:
        """Yield changes after ``version`` for so long; one that is forgotten ends the watch."""
        if version < self._oldest:
            yield Refused(410, "Expired", f"too old resource version: {version} ({self._oldest})")
            return
        ends_at = time.monotonic() + seconds
        while (left_s := ends_at - time.monotonic()) > 0:
            with self._changed:
                news = [each for each in self._changes if each.version > version]
                if not news:
                    self._changed.wait(min(left_s, 0.5))
                    continue
            version = news[-1].version
            yield from (each for each in news if each.plural == plural and wanted(each.document))

    def forget_changes(self) -> None:
        """Have every version up to now be too old to watch from, as after a compaction."""
        with self._changed:
            self._version += 1
            self._oldest = self._version
            self._changes.clear()

    def expire(self, name: str) -> None:
        """Delete an ended Job as its TTL does."""
        self.delete("jobs", name, cascade="Background")

    def event(self, name: str, reason: str, message: str) -> None:
        """Tell an event of an object."""
        with self._changed:
            self.create("events", {
                "apiVersion": "v1", "kind": "Event", "metadata": {"name": f"{name}.{uuid.uuid4().hex[:8]}"},
                "involvedObject": {"name": name}, "reason": reason, "message": message, "lastTimestamp": _now(),
            })  # fmt: skip

    def end_job(self, name: str, kind: str, reason: str, message: str = "") -> None:
        """Give a Job the condition that ends it."""
        condition = {"type": kind, "status": "True", "reason": reason, "message": message}
        self.patch_status("jobs", name, {"conditions": [condition]})

    def _admit(self, job: Document) -> None:
        if self.jobs_refused is not None:
            raise self.jobs_refused
        for number, container in enumerate(job["spec"]["template"]["spec"]["containers"]):
            for name in container.keys() - _CONTAINER:
                place = f"spec.template.spec.containers[{number}].{name}"
                raise Refused(
                    400, "BadRequest", f'Job in version "v1" cannot be handled: unknown field "{place}"'
                )
            if not container.get("image"):
                raise Refused(
                    422,
                    "Invalid",
                    f"Job is invalid: spec.template.spec.containers[{number}].image: Required value",
                )

    def _start_pods(self, job: Document) -> None:
        """Do as the Job controller: make a pod for each completion, or tell why not."""
        name = job["metadata"]["name"]
        if self.pods_refused is not None:
            self.event(
                name, "FailedCreate", f"Error creating: pods {name!r} is forbidden: {self.pods_refused}"
            )
            return
        for index in range(job["spec"]["parallelism"]):
            self.start_pod(job, index)

    def start_pod(self, job: Document, index: int) -> Document:
        """Make one pod of a Job."""
        name, template = job["metadata"]["name"], copy.deepcopy(job["spec"]["template"])
        metadata = template.get("metadata", {})
        metadata["labels"] = {**metadata.get("labels", {}), _JOB_NAME: name}
        metadata["annotations"] = {**metadata.get("annotations", {}), _INDEX: str(index)}
        metadata["name"] = f"{name}-{index}-{uuid.uuid4().hex[:5]}"
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": template["spec"],
            "status": {"phase": "Pending"},
        }
        return self.create("pods", pod)

    def _count_pods(self, name: str) -> None:
        """Do as the Job controller: end the Job whose pods have all succeeded, or failed too often."""
        job = self._objects.get(("jobs", name))
        if job is None or job.get("status", {}).get("conditions"):
            return
        phases = [pod.get("status", {}).get("phase") for pod in self._pods_of(name)]
        if phases.count("Succeeded") >= job["spec"]["completions"]:
            self.end_job(name, "Complete", "CompletionsReached")
        elif phases.count("Failed") > job["spec"]["backoffLimit"]:
            self.end_job(
                name, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
            )

    def _pods_of(self, name: str) -> list[Document]:
        return self.list_all("pods", lambda pod: pod["metadata"].get("labels", {}).get(_JOB_NAME) == name)[0]

    def _put(self, plural: str, document: Document, kind: str) -> None:
        document.setdefault("kind", _KINDS[plural])
        self._version += 1
        document["metadata"]["resourceVersion"] = str(self._version)
        self._objects[plural, document["metadata"]["name"]] = document
        self._changes.append(Change(self._version, kind, plural, copy.deepcopy(document)))
        self._changed.notify_all()

    def _tell(self, kind: str, plural: str, document: Document) -> None:
        self._version += 1
        document["metadata"]["resourceVersion"] = str(self._version)
        self._changes.append(Change(self._version, kind, plural, document))
        self._changed.notify_all()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
