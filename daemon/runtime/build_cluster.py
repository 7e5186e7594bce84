"""Builds what trains on a Kubernetes cluster."""

from functools import partial
from pathlib import Path

from daemon.cluster.launcher import ClusterJobs, KubernetesLauncher, deadline_s
from daemon.cluster.training import KubernetesTraining
from daemon.config.live import LiveSettings
from daemon.config.sections.kubernetes import KubernetesSection
from daemon.jobs.files import JobFiles
from daemon.jobs.request import StoredParent
from daemon.ledger.bound_facts import LEDGER_ID, bound_facts
from daemon.ledger.stores import Stores, artifacts_url
from daemon.training.planned_run import PlannedRun
from registry.names import VersionName
from registry.store import Store


class KubernetesTrainer:
    """Trains in Jobs of a Kubernetes cluster. Keeps the protocol Trainer."""

    def __init__(self, settings: LiveSettings, launcher: KubernetesLauncher, versions: Store) -> None:
        self._settings = settings
        self._launcher = launcher
        self._versions = versions

    @property
    def timeout_s(self) -> float:
        """Seconds after which the daemon gives a Job up by itself, which Kubernetes should have done before."""
        settings = self._settings.current
        return deadline_s(settings) + settings.kubernetes.pending_s

    def clean_up(self, run: str | None) -> None:
        """Delete the Jobs that no training here follows, and the files of all runs but ``run``."""
        self._launcher.clean_up(run)

    def discard(self, run: str) -> None:
        """Delete the files of a run that has ended."""
        self._launcher.discard(run)

    def launch(self, planned: PlannedRun, folder: Path) -> KubernetesTraining:
        """Begin a run, or find its Job again."""
        return self._launcher.launch(planned.request, self._parent(planned), folder=folder)

    def can_continue(self, planned: PlannedRun, folder: Path) -> bool:
        """Return True: what a Job needs is in the artifact store, whichever replica began it."""
        del planned, folder
        return True

    def close(self, timeout_s: float) -> None:
        """Leave all Jobs; give deletions that were begun ``timeout_s``."""
        self._launcher.close(timeout_s)

    def _parent(self, planned: PlannedRun) -> StoredParent | None:
        if planned.parent is None:
            return None
        version = self._versions.version(VersionName.parse(planned.parent))
        return (
            None
            if version.artifact is None
            else StoredParent(artifact=version.artifact, digest=version.digest)
        )


def build_kubernetes_trainer(settings: LiveSettings, stores: Stores) -> KubernetesTrainer:
    """Build the trainer. Nothing is asked of the cluster yet."""
    started = settings.current
    store = artifacts_url(started)
    launcher = KubernetesLauncher(
        settings,
        JobFiles(store, cache=started.state_dir.absolute() / "cache"),
        connect=partial(connect, started.kubernetes),
        artifacts_url=started.kubernetes.artifacts_url or store,
        ledger=bound_facts(stores.engine).get(LEDGER_ID, ""),
    )
    return KubernetesTrainer(settings, launcher, stores.versions)


def connect(section: KubernetesSection) -> ClusterJobs:
    """Open the API server that the settings name. Raises ClusterError."""
    from daemon.cluster.api import open_cluster  # the library is optional, and takes 0.2 s to load

    return open_cluster(
        kubeconfig=section.kubeconfig,
        namespace=section.namespace,
        train_jobs=section.kind == "trainjob",
    )
