"""What Prometheus' own tools say about our metrics."""

import json
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

from daemon.config.settings import HttpSection
from daemon.http.health import Health
from daemon.http.server import HttpServer
from daemon.telemetry.metrics import Metrics
from tests.factories.metrics import busy_metrics
from tests.support.helpers import eventually, required_program

REMEDY = "install it: apt-get install --no-install-recommends prometheus"


@pytest.fixture(scope="module")
def served() -> Iterator[HttpServer]:
    with HttpServer(HttpSection(port=0), busy_metrics(), Health(clock=lambda: 0.0)) as server:
        yield server


@pytest.fixture(scope="module")
def prometheus(served: HttpServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that scrapes our server."""
    program = required_program("prometheus", REMEDY)
    folder = tmp_path_factory.mktemp("prometheus")
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        "scrape_configs:\n"
        "  - job_name: retuned\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{served.port}']}}]\n"
    )
    address = f"127.0.0.1:{a_free_port()}"
    command = [
        str(program),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    log = folder / "log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
        try:
            eventually(lambda: server.poll() is not None or value(address, "up"), deadline_s=30)
            assert server.poll() is None, log.read_text()
            yield address
        finally:
            server.terminate()


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def value(address: str, query: str) -> str | None:
    """What Prometheus answers to a query that gives one series; None while it gives none."""
    url = f"http://{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            found = json.load(response)["data"]["result"]
    except OSError:
        return None
    return str(found[0]["value"][1]) if found else None


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
        ("up", "1"),
        ("sum(retuned_intake_records_total)", "90"),
        ('retuned_live_version_info{model_line="chat", version="chat-v1"}', "1"),
        ("sum(retuned_consumer_lag_records)", "12"),
        ("retuned_run_duration_seconds_count", "1"),
        ('retuned_drift_score{monitor="words"} > bool on (monitor) retuned_drift_threshold', "1"),
    ],
)
def test_a_real_prometheus_scrapes_and_answers(prometheus: str, query: str, expected: str) -> None:
    assert value(prometheus, query) == expected


def test_every_metric_reaches_prometheus(prometheus: str) -> None:
    names = [
        entry.name + ("_count" if entry.type == "histogram" else "") for entry in busy_metrics().catalogue()
    ]

    assert [name for name in names if value(prometheus, f"count({name})") is None] == []
