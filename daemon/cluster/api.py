"""The API server, as trainings need it. The one module that imports lightkube."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2
from lightkube import ApiError, Client, KubeConfig, SingleConfig
from lightkube.config.client_adapter import verify_cluster
from lightkube.core.exceptions import ConfigError
from lightkube.generic_resource import create_global_resource, create_namespaced_resource
from lightkube.types import CascadeType, OnErrorAction, OnErrorResult

from daemon.cluster.errors import (
    AccessDenied,
    BadClusterConfig,
    BadJobTemplate,
    ClusterError,
    ClusterUnreachable,
    NoSuchPlace,
    PodsRefused,
)
from daemon.cluster.facts import JobFacts, PodFacts, Reason, event_reason, job_facts, pod_facts
from daemon.cluster.manifest import Manifest
from daemon.cluster.rights import Right

# Generic: the library's own classes drop fields that they do not know, and with them what a template says.
_JOB = create_namespaced_resource("batch", "v1", "Job", "jobs")
_TRAIN_JOB = create_namespaced_resource("trainer.kubeflow.org", "v1alpha1", "TrainJob", "trainjobs")
_SERVICE = create_namespaced_resource("", "v1", "Service", "services")
_POD = create_namespaced_resource("", "v1", "Pod", "pods")
_EVENT = create_namespaced_resource("", "v1", "Event", "events")
_REVIEW = create_global_resource(
    "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews"
)

#: Seconds that a request may take.
_TIMEOUT_S = 8.0
_RIGHTS = "deploy/docs/training-jobs.md lists the rights that the daemon's service account needs"


class ClusterApi:
    """Creates, reads and deletes Jobs of one kind in one namespace. Every method may raise ClusterError."""

    def __init__(self, client: Client, transport: "_Transport", *, train_jobs: bool) -> None:
        self._client = client
        self._transport = transport
        self._kind = _TRAIN_JOB if train_jobs else _JOB
        self._pods_of = "jobset.sigs.k8s.io/jobset-name" if train_jobs else "batch.kubernetes.io/job-name"

    @property
    def namespace(self) -> str:
        """The namespace of the Jobs."""
        return str(self._client.namespace)

    def create(self, manifest: Manifest) -> bool:
        """Create a Job; return whether it is new: one of that name may be there already."""
        return self._create(self._kind.from_dict(manifest))

    def create_service(self, manifest: Manifest) -> None:
        """Create a Service, unless it is there."""
        self._create(_SERVICE.from_dict(manifest))

    def check(self, manifest: Manifest) -> None:
        """Have the API server check a Job without creating it."""
        with _translated("check the Job"):
            try:
                self._client.create(self._kind.from_dict(manifest), dry_run=True)
            except ApiError as error:
                if error.status.code != HTTPStatus.CONFLICT:
                    raise

    def job(self, name: str) -> JobFacts | None:
        """Return a Job; None if there is none of that name."""
        with _translated(f"read Job {name}"):
            try:
                return job_facts(self._client.get(self._kind, name))
            except ApiError as error:
                if error.status.code != HTTPStatus.NOT_FOUND:
                    raise
                return None

    def jobs(self, labels: Mapping[str, str]) -> list[JobFacts]:
        """Return the Jobs that have these labels."""
        with _translated("list Jobs"):
            return [job_facts(each) for each in self._client.list(self._kind, labels=dict(labels))]

    def pods(self, name: str) -> tuple[list[PodFacts], str]:
        """Return the pods of a Job, and the resource version of the list, for ``wait``."""
        with _translated(f"list the pods of Job {name}"):
            found = self._client.list(_POD, labels={self._pods_of: name})
            return [pod_facts(each) for each in found], found.resourceVersion

    def events(self, names: Sequence[str]) -> list[Reason]:
        """Return the events of objects, newest first."""
        with _translated("list events"):
            found = [
                each
                for name in names
                for each in self._client.list(_EVENT, fields={"involvedObject.name": name})
            ]
        found.sort(key=_event_time, reverse=True)
        return [event_reason(each) for each in found]

    def wait(self, name: str, version: str, seconds: float) -> None:
        """Return at the first change of a Job's pods since ``version``, or after ``seconds``.

        The version may be too old for the server: then it returns at once, and the caller lists again.
        """
        with _translated(f"watch the pods of Job {name}"), self._transport.watching(seconds):
            changes = self._client.watch(
                _POD,
                labels={self._pods_of: name},
                resource_version=version,
                server_timeout=int(seconds) + 1,
                on_error=_end_watch,
            )
            next(changes, None)

    def log(self, pod: str, *, container: str, lines: int) -> list[str]:
        """Return the last lines of a container's log; none while there is no log."""
        with _translated(f"read the log of pod {pod}"):
            try:
                return list(self._client.log(pod, container=container, tail_lines=lines, newlines=False))
            except ApiError as error:
                if error.status.code not in (HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST):
                    raise
                return []  # the pod is gone, or its container waits

    def delete(self, name: str) -> None:
        """Delete a Job and its pods. One that is not there is deleted."""
        with _translated(f"delete Job {name}"):
            try:
                # Without it the API server orphans the pods of a Job: they would go on, and hold their GPUs.
                self._client.delete(self._kind, name, cascade=CascadeType.BACKGROUND)
            except ApiError as error:
                if error.status.code != HTTPStatus.NOT_FOUND:
                    raise

    def may(self, right: Right) -> bool:
        """Return whether the daemon has a right in the namespace."""
        resource, _, part = right.resource.partition("/")
        attributes = {
            "namespace": self.namespace,
            "verb": right.verb,
            "group": right.group,
            "resource": resource,
            "subresource": part,
        }
        review = _REVIEW.from_dict({"metadata": {}, "spec": {"resourceAttributes": attributes}})
        with _translated("ask for rights"):
            answer = self._client.create(review)
        return bool((answer.get("status") or {}).get("allowed"))

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _create(self, document: Any) -> bool:
        with _translated(f"create {document['kind']} {document['metadata']['name']}"):
            try:
                self._client.create(document)
            except ApiError as error:
                if error.status.code != HTTPStatus.CONFLICT:
                    raise
                return False
        return True


def open_cluster(*, kubeconfig: Path | None, namespace: str | None, train_jobs: bool = False) -> ClusterApi:
    """Return the API server that a kubeconfig names, or that of the daemon's own pod. Nothing is asked yet.

    Raises BadClusterConfig.
    """
    config = _config(kubeconfig)
    try:
        assert config.user is not None  # noqa: S101 - ``_config`` gives one
        tls = verify_cluster(config.cluster, config.user, config.abs_file)
        transport = _Transport(httpx2.HTTPTransport(verify=tls))
        client = Client(config, namespace=namespace, timeout=httpx2.Timeout(_TIMEOUT_S), transport=transport)
    except (ConfigError, OSError, ValueError) as error:
        raise BadClusterConfig(f"the credentials of {_named(kubeconfig)} can't be read: {error}") from error
    return ClusterApi(client, transport, train_jobs=train_jobs)


def _config(kubeconfig: Path | None) -> SingleConfig:
    try:
        found = KubeConfig.from_service_account() if kubeconfig is None else KubeConfig.from_file(kubeconfig)
        config = found.get()
    except (ConfigError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = (
            "the daemon runs in no pod with a service account's token: set automountServiceAccountToken, or kubernetes.kubeconfig"
            if kubeconfig is None
            else "correct the file, or kubernetes.kubeconfig"
        )
        raise BadClusterConfig(f"{_named(kubeconfig)} can't be used ({error}); {remedy}") from error
    if config is None or config.user is None:
        raise BadClusterConfig(f"{_named(kubeconfig)} names no user; correct its current-context")
    return config


def _named(kubeconfig: Path | None) -> str:
    return "the pod's service account" if kubeconfig is None else str(kubeconfig)


class _Transport(httpx2.BaseTransport):
    """Bounds watches, and makes answers what lightkube expects.

    lightkube watches without a time-out, begins again whenever the server ends a watch, never closes its connection, and
    takes an error for one of Kubernetes only if its content type is exactly application/json.
    """

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self._inner = inner
        self._ends_at = 0.0
        self._watch: httpx2.Response | None = None

    @contextmanager
    def watching(self, seconds: float) -> Iterator[None]:
        """Let one watch last at most so long."""
        self._ends_at = time.monotonic() + seconds
        try:
            yield
        finally:
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request."""
        watch = request.url.params.get("watch") == "true"
        if watch:
            left_s = self._ends_at - time.monotonic()
            if left_s <= 0:
                raise httpx2.ReadTimeout("the watch is over", request=request)
            request.extensions["timeout"] = {**request.extensions.get("timeout", {}), "read": left_s}
        if request.method == "POST":
            # A field that the server does not know is a mistake in the template; by default it is dropped.
            request.url = request.url.copy_merge_params({"fieldValidation": "Strict"})
        response = self._inner.handle_request(request)
        content_type = response.headers.get("Content-Type", "")
        json = content_type.partition(";")[0].strip() == "application/json"
        response.headers["Content-Type"] = "application/json" if json else content_type or "text/plain"
        if watch:
            self._watch = response
        return response

    def close(self) -> None:
        """Close all connections."""
        self._inner.close()


def _end_watch(error: Exception, _count: int) -> OnErrorResult:
    """End a watch whose time is over; have any other error raised."""
    over = isinstance(error, httpx2.TimeoutException)
    return OnErrorResult(OnErrorAction.STOP if over else OnErrorAction.RAISE)


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    """Raise what went wrong as a ClusterError."""
    try:
        yield
    except ApiError as error:
        status = error.status
        if status.code == HTTPStatus.GONE:
            return
        raise _refusal(doing, status.code or 0, status.message or status.reason or "") from error
    except httpx2.HTTPStatusError as error:
        if error.response.status_code == HTTPStatus.GONE:
            return
        raise _refusal(doing, error.response.status_code, "") from error
    except ConfigError as error:
        raise BadClusterConfig(f"the credentials can't be read: {error}") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError, TypeError) as error:
        text = str(error) or type(error).__name__
        raise ClusterUnreachable(
            f"the API server does not answer ({doing}: {text}); it is asked again"
        ) from error


def _refusal(doing: str, code: int, message: str) -> ClusterError:
    said = " ".join(message.split()) or f"HTTP {code}"
    if code == HTTPStatus.UNAUTHORIZED:
        return AccessDenied(
            f"the API server does not accept the daemon's credentials ({doing}): renew its token"
        )
    if code == HTTPStatus.FORBIDDEN and "exceeded quota" in said:
        return PodsRefused(f"can't {doing}: {said}; free or raise the ResourceQuota")
    if "admission webhook" in said:
        return PodsRefused(f"can't {doing}: {said}; correct kubernetes.job_template as it says")
    if code == HTTPStatus.FORBIDDEN:
        return AccessDenied(f"can't {doing}: {said}; {_RIGHTS}")
    if code == HTTPStatus.NOT_FOUND:
        return NoSuchPlace(
            f"can't {doing}: {said}; correct kubernetes.namespace or kubernetes.kind, or create it"
        )
    if code in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
        return BadJobTemplate(f"can't {doing}: {said}; correct kubernetes.job_template")
    return ClusterUnreachable(f"can't {doing}: {said}; it is tried again")


def _event_time(event: Mapping[str, Any]) -> str:
    with suppress(KeyError, TypeError):
        return str(
            event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
        )
    return ""
