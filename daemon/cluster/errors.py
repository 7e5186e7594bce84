"""Errors of trainings on a cluster; each message says what to do next."""

from daemon.domain.errors import DaemonError


class ClusterError(DaemonError):
    """Root of all errors of the cluster."""

    permanent = True


class ClusterUnreachable(ClusterError):
    """The API server does not answer, or only with errors of its own. Jobs go on; it is asked again."""

    permanent = False


class BadClusterConfig(ClusterError):
    """The address of the API server, or the credentials, can't be read."""


class AccessDenied(ClusterError):
    """The API server does not accept the daemon's credentials, or does not allow what it asks for."""


class BadJobTemplate(ClusterError):
    """The template of a training's Job can't be read, or the API server refuses what is made of it."""


class NoSuchPlace(ClusterError):
    """The namespace, or the kind of resource, does not exist in the cluster."""


class PodsRefused(ClusterError):
    """The Job's pods are refused: by pod security, a quota, a webhook, or for want of a service account."""


class Unschedulable(ClusterError):
    """No node has room for a pod of the training, or tolerates it."""


class ImageNotPulled(ClusterError):
    """The image of the training can't be pulled."""


class PodNotStarted(ClusterError):
    """A pod has a node, but its container can't be made: a volume, a Secret or a ConfigMap is missing."""


class NeverAdmitted(ClusterError):
    """The Job stayed without a running pod, and the cluster gave no reason."""


class OutOfMemory(ClusterError):
    """A pod of the training used more memory than it may."""


class PodEvicted(ClusterError):
    """Pods of the training were evicted, or their nodes went away."""


class DeadlineExceeded(ClusterError):
    """The training took longer than its Job may."""


class PodsFailed(ClusterError):
    """The pods of the training failed, more often than they may."""


class JobDeleted(ClusterError):
    """Somebody deleted the Job of the training before it had a result."""


class ResultMissing(ClusterError):
    """The Job says that it is complete, but the artifact store has no result of it."""
