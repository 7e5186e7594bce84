"""The dashboards' queries on a real Prometheus that has scraped a daemon to which everything has happened."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.config.settings import HttpSection
from daemon.http.health import Health
from daemon.http.server import HttpServer
from deploy.grafana.pictures.picture import draw
from deploy.grafana.pictures.prometheus import Prometheus, Span
from tests.factories.metrics import busy_metrics, keep_busy
from tests.servers.prometheus_server import running_prometheus
from tests.support.dashboards import FOLDER, annotations, without_data
from tests.support.helpers import eventually


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, Span]]:
    """Everything happens twice, so that what is counted rises."""
    metrics = busy_metrics()
    started = time.time()
    folder = tmp_path_factory.mktemp("prometheus")
    with (
        HttpServer(HttpSection(port=0), metrics, Health(clock=lambda: 0.0)) as server,
        running_prometheus(folder, [server.port]) as prometheus,
    ):
        keep_busy(metrics)
        risen = "retuned_alarms_total{aspect='input'} offset 2s"
        eventually(lambda: prometheus.value(risen) == 2, deadline_s=30)
        yield prometheus, Span(start=started, end=time.time())


def test_every_query_gives_data(scraped: tuple[Prometheus, Span]) -> None:
    assert without_data(*scraped) == set()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_dashboard_can_be_drawn_in_few_bytes(scraped: tuple[Prometheus, Span], path: Path) -> None:
    picture = draw(json.loads(path.read_text("utf-8")), *scraped)

    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 150_000


def test_every_annotation_gives_events(scraped: tuple[Prometheus, Span]) -> None:
    prometheus, span = scraped

    assert [each["name"] for each in annotations() if not prometheus.ask(each, span)] == []
