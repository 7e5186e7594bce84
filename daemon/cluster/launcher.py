"""Starts trainings on the cluster."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

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
from daemon.cluster.sweep import Jobs, Sweep
from daemon.cluster.template import read_template
from daemon.cluster.training import KubernetesTraining
from daemon.config.live import LiveSettings
from daemon.config.sections.kubernetes import KubernetesSection
from daemon.config.settings import Settings
from daemon.jobs.files import JobFiles
from daemon.jobs.request import JobRequest, StoredParent, digest_of, portable, to_json
from learners.types import TrainRequest


class ClusterJobs(Cluster, Jobs, Protocol):
    """The API server, for trainings and for the sweep."""


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
        self._needed: dict[str, str] = {}  # digests of jobs whose run goes on, with the run
        self._kept_run: str | None = None
        model_line = settings.current.model_line
        self._sweep = Sweep(
            connect, files, labels={LEDGER: ledger[:32], MODEL_LINE: model_line}, model_line=model_line,
            follows=self._follows, keeps=self._keeps,
        )  # fmt: skip

    def launch(
        self, request: TrainRequest, parent: StoredParent | None, *, folder: Path
    ) -> KubernetesTraining:
        """Begin a training, or find it again. Its artifact is to be in ``folder``."""
        settings = self._settings.current
        job = portable(request, model_line=settings.model_line, base=settings.model.base, parent=parent)
        plan = self._plan(settings, job, folder)
        self._needed = {**self._needed, plan.identity.digest: request.run}
        lifecycle = JobLifecycle(plan, self._connect, self._files, clock=self._clock)
        training = KubernetesTraining(lifecycle, clock=self._clock)
        self._trainings = [each for each in self._trainings if each.running]
        previous = self._trainings[-1] if self._trainings else None
        self._trainings.append(training)
        training.start(after=previous)
        return training

    def clean_up(self, run: str | None) -> None:
        """Begin to delete what no run needs: the Jobs that no training here follows, and the files of all runs but ``run``."""
        self._kept_run = run
        self._sweep.ask()

    def discard(self, run: str) -> None:
        """Begin to delete the files of a run that has ended."""
        self._needed = {digest: of for digest, of in self._needed.items() if of != run}
        self._kept_run = None if self._kept_run == run else self._kept_run
        self._sweep.ask()

    def close(self, timeout_s: float) -> None:
        """Leave all Jobs, but give deletions that were begun ``timeout_s`` to be done."""
        ends_at = self._clock() + timeout_s
        for training in self._trainings:
            training.join(max(0.0, ends_at - self._clock()) if training.abandoned else 0.0)
            training.stop(max(0.1, ends_at - self._clock()))
        self._sweep.close(max(0.1, ends_at - self._clock()))

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

    def _follows(self, name: str) -> bool:
        return any(training.job.name == name for training in self._trainings)

    def _keeps(self, digest: str, run: str | None) -> bool:
        return digest in self._needed or (run is not None and run == self._kept_run)


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
