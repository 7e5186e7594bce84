"""Starts trainings on the cluster, and deletes Jobs that no run needs any more."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from daemon.cluster.errors import ClusterError
from daemon.cluster.facts import JobFacts
from daemon.cluster.lifecycle import Cluster, JobLifecycle, JobPlan
from daemon.cluster.manifest import (
    LEDGER,
    MODEL_LINE,
    JobIdentity,
    Manifest,
    job_manifest,
    service_manifest,
    train_job_manifest,
)
from daemon.cluster.template import read_template
from daemon.cluster.training import KubernetesTraining
from daemon.config.live import LiveSettings
from daemon.config.sections.kubernetes import KubernetesSection
from daemon.config.settings import Settings
from daemon.domain.backoff import Backoff
from daemon.jobs.files import JobFiles
from daemon.jobs.request import JobRequest, StoredParent, digest_of, portable, to_json
from daemon.telemetry.log_context import carried
from learners.types import TrainRequest

_log = logging.getLogger(__name__)
_FIRST_RETRY_S, _LONGEST_RETRY_S = 5.0, 300.0


class ClusterJobs(Cluster, Protocol):
    """The API server, for one who looks for Jobs."""

    def jobs(self, labels: Mapping[str, str]) -> list[JobFacts]: ...


class KubernetesLauncher:
    """Starts trainings, one at a time. No method waits for the network, but for ``close``."""

    def __init__(
        self,
        settings: LiveSettings,
        files: JobFiles,
        *,
        connect: Callable[[], ClusterJobs],
        artifacts_url: str,
        ledger: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``connect`` opens the API server. Raises ClusterError. ``artifacts_url`` is the store's as the pods see it.

        ``ledger`` is the identity of the ledger, so that the Jobs of others are let be; ``clock`` counts seconds.
        """
        self._settings = settings
        self._files = files
        self._connect = connect
        self._artifacts_url = artifacts_url
        self._ledger = ledger
        self._clock = clock
        self._trainings: list[KubernetesTraining] = []
        self._closing = threading.Event()
        self._sweep: threading.Thread | None = None

    def launch(
        self, request: TrainRequest, parent: StoredParent | None, *, folder: Path
    ) -> KubernetesTraining:
        """Begin a training, or find it again. Its artifact is to be in ``folder``."""
        settings = self._settings.current
        job = portable(request, model_line=settings.model_line, base=settings.model.base, parent=parent)
        plan = self._plan(settings, job, folder)
        lifecycle = JobLifecycle(plan, self._connect, self._files, clock=self._clock)
        training = KubernetesTraining(lifecycle, clock=self._clock)
        self._trainings = [each for each in self._trainings if each.running]
        previous = self._trainings[-1] if self._trainings else None
        self._trainings.append(training)
        training.start(after=previous)
        return training

    def delete_others(self) -> None:
        """Begin to delete the Jobs of this model line and ledger that go on though no training here follows them."""
        self._sweep = threading.Thread(
            target=carried(self._delete_others), name="retuned-jobs-sweep", daemon=True
        )
        self._sweep.start()

    def close(self, timeout_s: float) -> None:
        """Leave all Jobs, but give deletions that were begun ``timeout_s`` to be done."""
        ends_at = self._clock() + timeout_s
        self._closing.set()
        for training in self._trainings:
            training.join(max(0.0, ends_at - self._clock()) if training.abandoned else 0.0)
            training.stop(max(0.1, ends_at - self._clock()))
        if self._sweep is not None:
            self._sweep.join(max(0.1, ends_at - self._clock()))

    def _plan(self, settings: Settings, job: JobRequest, folder: Path) -> JobPlan:
        section = settings.kubernetes
        identity = JobIdentity(
            digest=digest_of(to_json(job)),
            model_line=settings.model_line,
            run=job.request.run,
            ledger=self._ledger,
        )
        several = section.nodes > 1 and section.kind == "job"
        return JobPlan(
            identity=identity,
            request=job,
            data=folder / "data.jsonl",
            output=folder / "artifact",
            manifest=partial(training_manifest, settings, identity, artifacts_url=self._artifacts_url),
            service=(lambda uid: service_manifest(identity, job_uid=uid)) if several else None,
            nodes=section.nodes,
            pending_s=section.pending_s,
            deadline_s=deadline_s(settings),
        )

    def _delete_others(self) -> None:
        backoff = Backoff(_FIRST_RETRY_S, _LONGEST_RETRY_S)
        while not self._closing.is_set():
            try:
                cluster = self._connect()
                try:
                    self._delete_now(cluster)
                finally:
                    cluster.close()
            except ClusterError as error:
                if not backoff.failures:
                    _log.warning(
                        "Jobs of earlier runs can't be looked for: %s", error, extra={"action": "train"}
                    )
                self._closing.wait(backoff.fail(self._clock()))
            else:
                return

    def _delete_now(self, cluster: ClusterJobs) -> None:
        labels = {LEDGER: self._ledger[:32], MODEL_LINE: self._settings.current.model_line}
        for job in cluster.jobs(labels):
            followed = {training.job.name for training in self._trainings}
            if not (job.ended or job.deleting or job.name in followed):
                _log.warning(
                    "Job %s is deleted: no run needs it any more", job.name, extra={"action": "train"}
                )
                cluster.delete(job.name)


def deadline_s(settings: Settings) -> int:
    """Return the seconds that a training's Job may take."""
    return settings.kubernetes.deadline_s or max(60, int(settings.learning.timeout_s))


def training_manifest(settings: Settings, identity: JobIdentity, *, artifacts_url: str) -> Manifest:
    """Return what is created for a training, from the template as it is now. Raises BadJobTemplate."""
    section: KubernetesSection = settings.kubernetes
    template = read_template(section.job_template or Path())
    if section.kind == "trainjob":
        return train_job_manifest(identity, template, section, artifacts_url=artifacts_url)
    return job_manifest(
        identity, template, section, artifacts_url=artifacts_url, deadline_s=deadline_s(settings)
    )
