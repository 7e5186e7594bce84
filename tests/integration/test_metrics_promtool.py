"""What Prometheus' own tools say about our metrics."""

import subprocess
from collections.abc import Iterator

import pytest

from daemon.config.settings import HttpSection
from daemon.http.health import Health
from daemon.http.server import HttpServer
from daemon.telemetry.metrics import Metrics
from deploy.grafana.pictures.prometheus import Prometheus
from tests.factories.metrics import busy_metrics
from tests.servers.prometheus_server import REMEDY, running_prometheus
from tests.support.helpers import required_program


@pytest.fixture(scope="module")
def served() -> Iterator[HttpServer]:
    with HttpServer(HttpSection(port=0), busy_metrics(), Health(clock=lambda: 0.0)) as server:
        yield server


@pytest.fixture(scope="module")
def prometheus(served: HttpServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), [served.port]) as running:
        yield running


@pytest.mark.parametrize("metrics", [Metrics(), busy_metrics()], ids=["fresh", "busy"])
def test_promtool_finds_nothing_to_mend(metrics: Metrics) -> None:
    promtool = required_program("promtool", REMEDY)

    checked = subprocess.run(
        [promtool, "check", "metrics"], input=metrics.exposition("")[1], capture_output=True, check=False
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("up", 1),
        ("sum(retuned_intake_records_total)", 90),
        ('retuned_live_version_info{model_line="chat", version="chat-v1"}', 1),
        ("sum(retuned_consumer_lag_records)", 12),
        ("retuned_run_duration_seconds_count", 1),
        ('retuned_drift_score{monitor="words"} > bool on (monitor) retuned_drift_threshold', 1),
    ],
)
def test_a_real_prometheus_scrapes_and_answers(prometheus: Prometheus, query: str, expected: float) -> None:
    assert prometheus.value(query) == expected


def test_every_metric_reaches_prometheus(prometheus: Prometheus) -> None:
    names = [
        entry.name + ("_count" if entry.type == "histogram" else "") for entry in busy_metrics().catalogue()
    ]

    assert [name for name in names if prometheus.value(f"count({name})") is None] == []
