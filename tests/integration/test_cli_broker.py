"""Commands that talk to a broker, on a real one."""

import json
from pathlib import Path

import pytest

from daemon.broker import LocalBroker
from daemon.kafka import create_topic, topic_partitions
from daemon.settings import Settings
from daemon.settings_file import dump
from daemon.translate import kafka_settings
from tests.factories_cli import typed
from tests.factories_daemon import line_settings

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def settings(tmp_path: Path, broker: LocalBroker, topic: str) -> Settings:
    kafka = {"bootstrap_servers": [broker.bootstrap], "topic": topic, "dead_letter_topic": f"{topic}-dead"}
    return line_settings(tmp_path, kafka=kafka)


@pytest.fixture
def config(tmp_path: Path, settings: Settings) -> str:
    path = tmp_path / "retuned.yaml"
    path.write_text(dump(settings), encoding="utf-8")
    return str(path)


def a_file(folder: Path, *lines: str) -> str:
    path = folder / "talks.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def a_talk(name: str) -> str:
    messages = [{"role": "user", "content": "退款吗？"}, {"role": "assistant", "content": "可以。"}]
    return json.dumps({"id": name, "domain": "shop", "messages": messages}, ensure_ascii=False)


def test_doctor_names_missing_topics_and_makes_them_when_asked(config: str, settings: Settings) -> None:
    checks = typed("--config", config, "doctor", "--json").document["checks"]
    assert [check["subject"] for check in checks if not check["ok"]][:2] == ["topic", "dead-letter topic"]

    made = typed("--config", config, "doctor", "--create-topics", "--json").document["checks"]

    assert [check["ok"] for check in made[:3]] == [True, True, True]
    assert topic_partitions(kafka_settings(settings), settings.kafka.dead_letter_topic) == 1


def test_replay_sends_every_conversation(tmp_path: Path, config: str, settings: Settings) -> None:
    create_topic(kafka_settings(settings), settings.kafka.topic, partitions=1)
    file = a_file(tmp_path, *(a_talk(f"c{number}") for number in range(20)))

    answer = typed("--config", config, "replay", file, "--rate", "1000", "--json")

    assert answer.exit_code == 0
    assert (answer.document["sent"], answer.document["topic"]) == (20, settings.kafka.topic)


def test_replay_sends_nothing_of_a_file_with_a_bad_line(tmp_path: Path, config: str) -> None:
    file = a_file(tmp_path, a_talk("c1"), "{")

    answer = typed("--config", config, "replay", file, "--json")

    assert answer.exit_code == 1
    assert answer.error["kind"] == "BadLine"
    assert "line 2" in answer.error["message"]
