"""Builds the stages that decide and train."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from daemon.config.live import LiveSettings
from daemon.config.settings import Settings
from daemon.domain.clock import utc_now
from daemon.jobs.files import JobFiles
from daemon.ledger.situation import read_situation
from daemon.ledger.stores import Stores, artifacts_url
from daemon.release.register import register_run
from daemon.release.stage import ReleaseStage
from daemon.runtime.base_model import BaseModel
from daemon.runtime.build_cluster import build_kubernetes_trainer
from daemon.runtime.build_traces import Traces
from daemon.telemetry.log_context import inherit_identity, log_identity
from daemon.telemetry.metrics import Metrics
from daemon.training.decide_stage import DecideStage
from daemon.training.orders import TrainingOrders
from daemon.training.plan import RunPlanner
from daemon.training.planned_run import PlannedRun
from daemon.training.planning import Planning
from daemon.training.process_trainer import ProcessTrainer
from daemon.training.protocols import Trainer
from daemon.training.train_stage import TrainStage
from learners.types import RunResult
from registry.types import Version


def runs_dir(settings: Settings) -> Path:
    """Return the folder that holds one folder a run: training file, checkpoints, logs."""
    return settings.state_dir.absolute() / "runs"


def job_files(settings: Settings) -> JobFiles:
    """Return the files of jobs in the artifact store."""
    return JobFiles(artifacts_url(settings), cache=settings.state_dir.absolute() / "cache")


def build_decide_stage(
    settings: LiveSettings, stores: Stores, metrics: Metrics, training: TrainStage, release: ReleaseStage
) -> DecideStage:
    """Build the stage that decides whether to train."""
    return DecideStage(
        stores,
        settings,
        train=training.submit,
        read_pause=TrainingOrders(stores.versions, settings.current.model_line).read_pause,
        read_pending_work=lambda: training.pending_work or training.held_back or release.read_pending_work(),
        read_situation=lambda: read_situation(stores, settings.current),
        metrics=metrics,
        clock=utc_now,
    )


def build_train_stage(
    settings: LiveSettings, stores: Stores, metrics: Metrics, base: BaseModel, traces: Traces
) -> TrainStage:
    """Build the stage that plans trainings in a thread and runs them in a child process or on a cluster."""
    started = settings.current

    def register(planned: PlannedRun, result: RunResult) -> Version:
        with log_identity(run=planned.request.run):
            return register_run(
                stores.versions,
                stores.artifacts,
                planned,
                result,
                model_line=started.model_line,
                base=started.model.base,
                clock=utc_now,
            )

    planner = RunPlanner(stores, settings, base=base.folder, base_digest=base.digest)
    executor = ThreadPoolExecutor(
        max_workers=1, thread_name_prefix="retuned-plan", initializer=inherit_identity()
    )
    return TrainStage(
        stores,
        settings,
        planning=Planning(planner, executor),
        trainer=traces.of_trainer(_build_trainer(settings, stores)),
        register=register,
        runs_dir=runs_dir(started),
        metrics=metrics,
        clock=utc_now,
    )


def _build_trainer(settings: LiveSettings, stores: Stores) -> Trainer:
    if settings.current.learning.where == "kubernetes":
        return build_kubernetes_trainer(settings, stores)
    return ProcessTrainer(settings)
