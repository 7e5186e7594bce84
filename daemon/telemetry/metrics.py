"""The catalogue of metrics: every ``retuned_*`` series with its type, unit, labels and meaning."""

from collections.abc import Callable, Iterable

from daemon.telemetry.drift_metrics import DriftMetrics
from daemon.telemetry.instruments import MetricEntry, MetricFactory, exposition
from daemon.telemetry.intake_metrics import IntakeMetrics
from daemon.telemetry.process_metrics import ChildName, ProcessMetrics, Pruned
from daemon.telemetry.release_metrics import ReleaseMetrics
from daemon.telemetry.teacher_metrics import TeacherMetrics
from daemon.telemetry.training_metrics import TrainingMetrics

__all__ = [
    "ChildName",
    "DriftMetrics",
    "IntakeMetrics",
    "Metrics",
    "MetricsOfLines",
    "ProcessMetrics",
    "Pruned",
    "ReleaseMetrics",
    "TeacherMetrics",
    "TrainingMetrics",
]


class Metrics:
    """All metrics of one model line, on a registry of their own. Setting them is thread-safe."""

    def __init__(self, model_line: str | None = None) -> None:
        """``model_line`` is a label of every sample; None: of none."""
        factory = MetricFactory(model_line)
        self.intake = IntakeMetrics(factory)
        self.drift = DriftMetrics(factory)
        self.training = TrainingMetrics(factory)
        self.release = ReleaseMetrics(factory)
        self.teacher = TeacherMetrics(factory)
        self.process = ProcessMetrics(factory)
        self.factory = factory

    def catalogue(self) -> list[MetricEntry]:
        """Every ``retuned_*`` metric, in declared order."""
        return list(self.factory.entries)

    def exposition(self, accept_header: str) -> tuple[str, bytes]:
        """The content type and the text of all metrics, in the format that the scraper accepts."""
        return exposition([self.factory], accept_header)


class MetricsOfLines:
    """The metrics of several model lines as one page: each metric once, with the samples of all lines."""

    def __init__(self, read: Callable[[], Iterable[Metrics]]) -> None:
        """``read`` returns the metrics of all lines as they are now; a line that starts again has new ones."""
        self._read = read

    def exposition(self, accept_header: str) -> tuple[str, bytes]:
        """The content type and the text of all metrics, in the format that the scraper accepts."""
        return exposition([metrics.factory for metrics in self._read()], accept_header)
