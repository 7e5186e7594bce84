"""Typed instruments over prometheus-client."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar, TypeVarTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

__all__ = [
    "Counter",
    "Gauge",
    "GaugeReadings",
    "Histogram",
    "LabelledMetric",
    "MetricEntry",
    "MetricFactory",
    "exposition",
]

_OPENMETRICS = "application/openmetrics-text"
_LINE_LABEL = "model_line"

Kind = TypeVar("Kind", bound=MetricWrapperBase)
Labels = TypeVarTuple("Labels")


class MetricEntry(NamedTuple):
    """One line of the catalogue."""

    name: str  # as Prometheus shows it; a histogram's without _bucket, _sum and _count
    type: str
    unit: str  # "" for a plain count
    labels: tuple[str, ...]
    help: str


class LabelledMetric(Generic[Kind, *Labels]):
    """One series for each combination of label values: ``verdicts("words", Finding.DRIFT).inc()``."""

    def __init__(self, parent: Kind) -> None:
        self._parent = parent

    def __call__(self, *values: *Labels) -> Kind:
        """Return the series with these label values, in the declared order."""
        return self._parent.labels(*values)


class GaugeReadings(Collector, Generic[*Labels]):
    """A gauge whose series are replaced all at once, so that outdated series vanish from the next scrape."""

    def __init__(self, entry: MetricEntry) -> None:
        self._entry = entry
        self._values: dict[tuple[str, ...], float] = {}

    def replace(self, values: Mapping[tuple[*Labels], float]) -> None:
        """Show exactly these series. The key of a gauge without labels is ``()``."""
        self._values = {tuple(map(str, key)): value for key, value in values.items()}

    def collect(self) -> Iterable[Metric]:
        """Return the series to expose."""
        family = GaugeMetricFamily(
            self._entry.name, self._entry.help, labels=self._entry.labels, unit=self._entry.unit
        )
        for key, value in self._values.items():
            family.add_metric(key, value)
        yield family


class _Exposed(Collector):
    """The metrics of a registry as scrapers see them: every sample says its model line.

    A series that says it already is left as it is. The ``_created`` series are left out, as they would nearly double
    the number of series.
    """

    def __init__(self, registry: CollectorRegistry, model_line: str | None) -> None:
        self._registry = registry
        self._label = {} if model_line is None else {_LINE_LABEL: model_line}

    def collect(self) -> Iterable[Metric]:
        """Return the series to expose."""
        for metric in self._registry.collect():
            metric.samples = [
                sample._replace(labels={**self._label, **sample.labels})
                for sample in metric.samples
                if not sample.name.endswith("_created")
            ]
            yield metric


class MetricFactory:
    """Creates metrics on a registry of its own and lists them in the catalogue."""

    def __init__(self, model_line: str | None = None) -> None:
        """``model_line`` is a label of every sample; None: of none."""
        self._registry = CollectorRegistry(auto_describe=True)
        self.exposed: Collector = _Exposed(self._registry, model_line)
        self.entries: list[MetricEntry] = []

    def counter(self, name: str, meaning: str, **labels: Iterable[object]) -> Counter:
        """Return a counter. Pass the values of a label where they are known, so that its series start at 0."""
        self.entries.append(MetricEntry(name, "counter", "", tuple(labels), meaning))
        counter = Counter(name, meaning, tuple(labels), registry=self._registry)
        for values in itertools.product(*labels.values()) if labels else ():
            counter.labels(*values)
        return counter

    def gauge(self, name: str, meaning: str, *labels: str, unit: str = "") -> Gauge:
        """Return a gauge."""
        self.entries.append(MetricEntry(name, "gauge", unit, labels, meaning))
        return Gauge(name, meaning, labels, unit=unit, registry=self._registry)

    def labelled_gauge(self, name: str, meaning: str, **labels: Iterable[object]) -> Gauge:
        """Return a gauge with the values of its labels, so that all its series start at 0."""
        self.entries.append(MetricEntry(name, "gauge", "", tuple(labels), meaning))
        gauge = Gauge(name, meaning, tuple(labels), registry=self._registry)
        for values in itertools.product(*labels.values()):
            gauge.labels(*values)
        return gauge

    def readings(self, name: str, meaning: str, *labels: str, unit: str = "") -> GaugeReadings[*Labels]:
        """Return a gauge whose series are replaced all at once."""
        self.entries.append(MetricEntry(name, "gauge", unit, labels, meaning))
        readings: GaugeReadings[*Labels] = GaugeReadings(self.entries[-1])
        self._registry.register(readings)
        return readings

    def seconds(self, name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
        """Return a histogram of durations."""
        self.entries.append(MetricEntry(name, "histogram", "seconds", (), meaning))
        return Histogram(name, meaning, unit="seconds", buckets=buckets, registry=self._registry)


def exposition(factories: Iterable[MetricFactory], accept_header: str) -> tuple[str, bytes]:
    """Return the content type and the text of all metrics: OpenMetrics if accepted, else Prometheus' own format.

    A metric of several factories is one family with the samples of all. ``process_*`` come once, without a model line.
    """
    exposed = _Merged([each.exposed for each in factories])
    # The library's own content negotiation would copy parts of the request into the response.
    if _OPENMETRICS in accept_header:
        text = generate_openmetrics(exposed, version="1.0.0")  # type: ignore[no-untyped-call]
        return f"{_OPENMETRICS}; version=1.0.0; charset=utf-8", text
    return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(exposed)


class _Merged(Collector):
    """Families of several collectors, each named once, and the process's memory, CPU and open files."""

    def __init__(self, collectors: Sequence[Collector]) -> None:
        self._collectors = (ProcessCollector(registry=None), *collectors)

    def collect(self) -> Iterable[Metric]:
        """Return the families to expose."""
        families: dict[str, Metric] = {}
        for collector in self._collectors:
            for metric in collector.collect():
                if metric.name in families:
                    families[metric.name].samples.extend(metric.samples)
                else:
                    families[metric.name] = metric
        return families.values()
