"""Settings of the section ``kubernetes``."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from daemon.config.sections.base import Section

_Label = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
#: Not opened by the daemon, so its library is not needed here.
_Url = Annotated[str, Field(pattern=r"^(?:/|[A-Za-z][A-Za-z0-9+._:-]*://)")]


class KubernetesSection(Section):
    """Trainings as Jobs of a Kubernetes cluster, where `learning.where` is `kubernetes`. deploy/docs/training-jobs.md says
    what the template holds and which rights the daemon needs.
    """

    job_template: Path | None = None
    """YAML file with the pod template of a training: `metadata` and `spec` as in a PodTemplateSpec, with a container named
    `trainer`. It is read anew for each training. The Helm chart writes it."""
    namespace: _Label | None = None
    """Namespace of the Jobs. Unset: the daemon's own, or that of the kubeconfig."""
    kubeconfig: Path | None = None
    """File with the address of the API server and the credentials, for a daemon outside of the cluster. Unset: the service
    account of the daemon's own pod."""
    kind: Literal["job", "trainjob"] = "job"
    """`job`: a Job of Kubernetes itself. `trainjob`: a TrainJob of the Kubeflow Trainer, which must be installed."""
    training_runtime: str = Field("torch-distributed", min_length=1, max_length=253)
    """Of `trainjob`: name of the ClusterTrainingRuntime."""
    nodes: int = Field(1, ge=1, le=64)
    """Pods that train together, each with the resources of the template. More than one: torchrun connects them."""
    deadline_s: int | None = Field(None, ge=60)
    """Seconds after which Kubernetes ends a training, waiting for a node and all attempts included. Unset:
    `learning.timeout_s`."""
    pending_s: int = Field(1_800, ge=30)
    """Seconds that a pod may wait for a node, its image or its admission before the run fails with the reason. Larger: a
    cluster has time to add a node with a GPU; a mistake in the template is noticed later."""
    backoff_limit: int = Field(2, ge=0, le=20)
    """Pods that may fail before the training fails. Evictions and drained nodes do not count; what would fail again does not
    start again."""
    ttl_s: int = Field(86_400, ge=60)
    """Seconds after its end in which a Job and its pods' logs can still be looked at; then Kubernetes deletes them."""
    artifacts_url: _Url | None = None
    """fsspec URL of the artifact store as the pods see it. Unset: the same as the daemon's."""
    shared_artifacts: bool = False
    """Whether the pods mount the folder of a file:// artifact store, at the path that the URL names. A folder that only the
    daemon has is of no use to them."""
