"""Commands that talk to a broker, on a real one."""

import json
from pathlib import Path

import pytest

from daemon.config.loader import dump
from daemon.config.settings import Settings
from daemon.domain.clock import utc_now
from daemon.domain.decisions import Action
from daemon.domain.streams import TopicPartition
from daemon.intake.router import Router
from daemon.kafka import KafkaSink, create_topic, fetch_records, topic_partitions
from daemon.runtime.kafka_settings import load_kafka_settings
from tests.factories.cli import type_to, typed
from tests.factories.daemon import Line, a_line, line_settings
from tests.servers.brokers import Broker

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def settings(tmp_path: Path, broker: Broker, topic: str) -> Settings:
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


def a_chat(name: str) -> str:
    messages = [{"role": "user", "content": "退款吗？"}, {"role": "assistant", "content": "可以。"}]
    return json.dumps({"id": name, "domain": "shop", "messages": messages}, ensure_ascii=False)


def test_doctor_names_missing_topics_and_makes_them_when_asked(config: str, settings: Settings) -> None:
    checks = typed("--config", config, "doctor", "--json").document["checks"]
    assert [check["subject"] for check in checks if not check["ok"]][:2] == ["topic", "dead-letter topic"]

    made = typed("--config", config, "doctor", "--create-topics", "--json").document["checks"]

    assert [check["ok"] for check in made[:3]] == [True, True, True]
    assert topic_partitions(load_kafka_settings(settings), settings.kafka.dead_letter_topic) == 1


def test_replay_sends_every_conversation(tmp_path: Path, config: str, settings: Settings) -> None:
    create_topic(load_kafka_settings(settings), settings.kafka.topic, partitions=1)
    file = a_file(tmp_path, *(a_chat(f"c{number}") for number in range(20)))

    answer = typed("--config", config, "replay", file, "--rate", "1000", "--json")

    assert answer.exit_code == 0
    assert (answer.document["sent"], answer.document["topic"]) == (20, settings.kafka.topic)


def test_replay_goes_on_over_lines_without_a_conversation(
    tmp_path: Path, config: str, settings: Settings
) -> None:
    create_topic(load_kafka_settings(settings), settings.kafka.topic, partitions=1)
    failed = json.dumps({"request": {"messages": []}, "response": {"error": {"code": 429}}})
    file = a_file(tmp_path, a_chat("c1"), "{", failed, a_chat("c2"))

    answer = typed("--config", config, "replay", file, "--rate", "1000", "--json")

    assert (answer.exit_code, answer.document["sent"]) == (0, 2)
    assert answer.document["not_sent"] == {"refused": 1, "passed_over": 1, "feedback": 0}


def test_replay_fails_on_a_file_without_a_conversation(tmp_path: Path, config: str) -> None:
    answer = typed("--config", config, "replay", a_file(tmp_path, "{"), "--json")

    assert answer.exit_code == 1
    assert "retuned ingest check" in answer.error["message"]


def send(settings: Settings, *values: bytes) -> None:
    """Make the topic, and put records on it."""
    kafka = load_kafka_settings(settings)
    create_topic(kafka, kafka.topic, partitions=1)
    sink = KafkaSink(kafka)
    for value in values:
        sink.send(kafka.topic, None, value)
    assert sink.flush(10)
    sink.close(5)


def a_conversation(number: int) -> bytes:
    messages = [
        {"role": "user", "content": f"退款 {number}? ask me at u{number}@example.org"},
        {"role": "assistant", "content": f"可以 {number}。"},
    ]
    record = {"conversation_id": f"k{number}", "ts": 1_795_521_540, "messages": messages}
    return json.dumps(record).encode()


@pytest.fixture
def learned(settings: Settings, tmp_path: Path) -> tuple[Line, str]:
    """A version that learned from what is on the topic, read through everything that intake does."""
    send(settings, *map(a_conversation, range(40)), b"{")
    line = a_line(tmp_path, kafka=settings.kafka)
    since = line.stores.conversations.last_seq() + 1
    router = Router(settings, line.stores.holdout)
    everything = {TopicPartition(settings.kafka.topic, 0): range(40)}
    read = fetch_records(load_kafka_settings(settings), everything)
    line.stores.intake.record(router.route(read, utc_now()).batch)
    run = line.start_run(line.decide(Action.TRAIN, "so", since=since), replay_share=0)
    return line, str(line.finish_run(run).name)


def test_a_training_set_is_made_again_from_the_topic_byte_for_byte(
    learned: tuple[Line, str], tmp_path: Path
) -> None:
    line, name = learned

    made = str(tmp_path / "again.jsonl")
    answer = type_to(line, "lineage", name, "--from-kafka", "--output", made, "--json")

    assert answer.document["rebuilt"]["equal"]
    original = line.settings.state_dir / "runs" / "r1" / "data.jsonl"
    assert Path(made).read_bytes() == original.read_bytes()


def test_records_that_a_topic_no_longer_has_are_named(settings: Settings) -> None:
    send(settings, b"0", b"1", b"2")

    wanted = {TopicPartition(settings.kafka.topic, 0): [2, 0, 7]}
    found = fetch_records(load_kafka_settings(settings), wanted)

    assert [(record.offset, record.value) for record in found] == [(0, b"0"), (2, b"2")]
