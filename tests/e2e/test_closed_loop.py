"""The whole loop with a real broker, a real daemon and a tiny model: drift, training, gate, promotion, rollback."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.intake.replay import encode_record
from deploy.grafana.pictures.prometheus import Prometheus, Span
from tests.e2e.daemon_process import DaemonProcess, free_port
from tests.e2e.quiet_panels import NOT_IN_A_LOOP
from tests.e2e.regimes import shop_questions, shuffled, small_talk
from tests.e2e.stream import Stream
from tests.servers.brokers import Broker, own_broker
from tests.servers.prometheus_server import running_prometheus
from tests.support.dashboards import annotations, without_data
from tests.support.helpers import eventually

pytestmark = pytest.mark.timeout(240)

SETTINGS: dict[str, Any] = {
    "model_line": "tiny",
    "model": {"device": "cpu", "threads": 2},
    "kafka": {"session_timeout_ms": 1_200, "heartbeat_interval_ms": 400},
    "holdout": {"share": 0.25},
    "windows": {"size": 50, "min_size": 20, "reference_size": 150, "reference_days": 0},
    "policy": {"min_new_lessons": 150, "max_new_conversations": 150, "cooldown_s": 0},
    "learning": {"rank": 8, "learning_rate": 1e-2, "epochs": 2, "replay_share": 0.3},
    "gate": {"max_conversations": 60},
}
STABLE, CHANGED = 300, 320
STABLE_VERDICTS = 'retuned_verdicts_total{finding="stable",monitor="mmd"}'


@pytest.fixture
def stream(broker: Broker) -> Stream:
    return Stream(broker, f"e2e-{time.monotonic_ns()}")


@pytest.fixture
def daemon(stream: Stream, broker: Broker, tiny_model: Path, tmp_path: Path) -> Iterator[DaemonProcess]:
    with a_daemon(stream, broker, tiny_model, tmp_path) as running:
        yield running


def a_daemon(
    stream: Stream, broker: Broker, tiny_model: Path, tmp_path: Path, **sections: dict[str, Any]
) -> DaemonProcess:
    """Start it with ``with``. ``sections`` take the place of those in SETTINGS."""
    port = free_port()
    settings = {
        **SETTINGS,
        **sections,
        "state_dir": str(tmp_path / "state"),
        "model": {**SETTINGS["model"], "base": str(tiny_model)},
        "kafka": {
            "bootstrap_servers": broker.bootstrap.split(","),
            "topic": stream.settings.topic,
            "dead_letter_topic": stream.settings.dead_letter_topic,
            "group_id": stream.settings.group_id,
            **sections.get("kafka", SETTINGS["kafka"]),
        },
        "http": {"port": port},
    }
    config = tmp_path / "retuned.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return DaemonProcess(config, http_port=port)


@pytest.fixture
def prometheus(daemon: DaemonProcess, tmp_path: Path) -> Iterator[Prometheus]:
    with running_prometheus(tmp_path, [daemon.port]) as running:
        yield running


def test_drift_is_learned_promoted_and_rolled_back_and_the_dashboards_show_it(
    daemon: DaemonProcess, prometheus: Prometheus, stream: Stream, tmp_path: Path
) -> None:
    started = time.time()
    stable = shuffled(small_talk(STABLE, seed=1), seed=1)
    stream.send(*map(encode_record, stable), b"not json")
    eventually(lambda: (daemon.metric(STABLE_VERDICTS) or 0) >= 3, deadline_s=90)
    assert all(window["finding"] == "stable" for window in status(daemon)["judged"])

    stream.send(*(encode_record(conversation) for conversation in shop_questions(CHANGED, seed=2)))
    eventually(lambda: daemon.metric('retuned_live_version_number{model_line="tiny"}') == 1, deadline_s=150)

    pointer = json.loads((tmp_path / "state" / "target" / "live.json").read_text(encoding="utf-8"))
    assert pointer["version"] == "tiny-v1"
    assert (Path(pointer["artifact"]) / "adapter_model.safetensors").is_file()
    assert daemon.retuned("show", "v1")["version"]["run"] == "r1"
    why = json.dumps(daemon.retuned("why"), ensure_ascii=False)
    assert "drift" in why
    assert "nats per token" in why
    assert daemon.metric('retuned_live_version_info{model_line="tiny",version="tiny-v1"}') == 1
    assert daemon.metric("retuned_dead_letters_published_total") == 1

    daemon.retuned("rollback", "-m", "the answers are too short")

    assert _live(daemon) == "tiny-v0"
    assert (
        json.loads((tmp_path / "state" / "target" / "live.json").read_text(encoding="utf-8"))["artifact"]
        is None
    )
    series = 'retuned_live_version_info{model_line="tiny",version="tiny-v0"}'
    eventually(lambda: daemon.metric(series) == 1, deadline_s=10)
    refused = daemon.retuned("rollback", "-m", "further back", expect=3)
    assert "nothing was live before" in refused["error"]["message"]
    rollbacks = 'sum(retuned_promotions_total{kind="rollback"})'
    eventually(lambda: prometheus.value(rollbacks) == 1, deadline_s=10)
    shown = Span(start=started, end=time.time() + 1)
    assert without_data(prometheus, shown) - NOT_IN_A_LOOP.keys() == set()
    assert [each["name"] for each in annotations() if not prometheus.ask(each, shown)] == []
    assert daemon.stop() == 0


def test_the_daemon_stops_within_20_seconds_while_it_trains(
    daemon: DaemonProcess, stream: Stream, tmp_path: Path
) -> None:
    stream.send(*(encode_record(conversation) for conversation in small_talk(STABLE, seed=1)))
    eventually(lambda: _counted(daemon) == STABLE, deadline_s=60)
    daemon.retuned("train", "-m", "to see it stop")
    eventually(lambda: status(daemon)["run"] is not None, deadline_s=30)

    assert daemon.stop(within_s=20) == 0

    daemon.start()
    eventually(lambda: (status(daemon)["run"] or {}).get("state") == "finished", deadline_s=90)
    assert daemon.stop() == 0


def test_the_daemon_stops_within_20_seconds_when_the_broker_is_gone(tiny_model: Path, tmp_path: Path) -> None:
    with own_broker() as broker, a_daemon(Stream(broker, "gone"), broker, tiny_model, tmp_path) as daemon:
        broker.kill()
        eventually(lambda: daemon.metric("retuned_broker_connected") == 0, deadline_s=30)
        eventually(lambda: not daemon.ready(), deadline_s=10)

        assert daemon.stop(within_s=20) == 0


def test_a_killed_daemon_counts_every_record_once(daemon: DaemonProcess, stream: Stream) -> None:
    conversations = [encode_record(conversation) for conversation in small_talk(400, seed=3)]
    for first in range(0, 400, 100):
        stream.send(*conversations[first : first + 100])
        daemon.kill()
        daemon.start()

    eventually(lambda: _counted(daemon) == 400, deadline_s=60)
    assert daemon.stop() == 0


def status(daemon: DaemonProcess) -> Any:
    return daemon.retuned("status")["overview"]


def _live(daemon: DaemonProcess) -> str:
    return str(status(daemon)["live"]["version"])


def _counted(daemon: DaemonProcess) -> int:
    return int(status(daemon)["intake"]["conversations"])
