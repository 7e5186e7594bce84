"""Builds what sends traces, where they are on."""

from dataclasses import dataclass

from daemon.config.settings import Settings
from daemon.domain.child_work import ChildWorkLog
from daemon.domain.clock import utc_now
from daemon.ledger.bound_facts import LEDGER_ID, bound_facts
from daemon.ledger.stores import Stores
from daemon.ledger.trace_facts import TraceFacts
from daemon.runtime.trace_stage import TraceStage
from daemon.scoring.protocol import VersionScorer
from daemon.scoring.traced_scorer import TracedScorer
from daemon.telemetry.metrics import Metrics
from daemon.training.protocols import Trainer
from daemon.training.traced_trainer import TracedTrainer
from daemon.views.trace import LineTraces


@dataclass(frozen=True, kw_only=True, slots=True)
class Traces:
    """What notes the work of children, and the stage that sends spans; neither where traces are off."""

    works: ChildWorkLog | None = None
    stages: tuple[TraceStage, ...] = ()

    def of_trainer(self, trainer: Trainer) -> Trainer:
        """Return a trainer whose trainings' phases are noted."""
        return trainer if self.works is None else TracedTrainer(trainer, self.works, clock=utc_now)

    def of_scorer(self, scorer: VersionScorer) -> VersionScorer:
        """Return a scorer whose calls are noted."""
        return scorer if self.works is None else TracedScorer(scorer, self.works, clock=utc_now)


def build_traces(settings: Settings, stores: Stores, metrics: Metrics) -> Traces:
    """Build what the settings ask for. OpenTelemetry is imported only where they name an endpoint."""
    tracing = settings.tracing
    if tracing.endpoint is None:
        return Traces()
    from daemon.telemetry.otlp import OtlpExporter

    works = ChildWorkLog()
    traces = LineTraces(
        TraceFacts(stores.engine),
        stores.versions,
        ledger=bound_facts(stores.engine)[LEDGER_ID],
        model_line=settings.model_line,
    )
    exporter = OtlpExporter(tracing, count=metrics.process.traced)
    exporter.start()
    stage = TraceStage(
        traces.ended_since,
        traces.of_child,
        works=works,
        exporter=exporter,
        sample=tracing.sample,
        clock=utc_now,
    )
    return Traces(works=works, stages=(stage,))
