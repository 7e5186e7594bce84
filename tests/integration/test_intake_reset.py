"""One command out of every halt, on the real broker."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.config.loader import dump
from daemon.domain.clock import utc_now
from daemon.domain.halts import HaltKind
from daemon.domain.holdout import Holdout
from daemon.intake.replay import encode_record
from daemon.intake.router import Router
from daemon.intake.stage import IntakeStage
from daemon.kafka import KafkaSource, create_topic
from daemon.kafka.admin import cluster_admin
from daemon.kafka.library import ClientPartition
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.stores import open_stores
from daemon.runtime.kafka_settings import load_kafka_settings
from daemon.telemetry.metrics import Metrics
from tests.factories.cli import typed
from tests.factories.daemon import line_settings
from tests.factories.intake import a_conversation
from tests.servers.apache_kafka import ApacheKafka
from tests.support.compressed import producer
from tests.support.helpers import eventually
from tests.support.reading import nothing_of_the_client_left

PARTITIONS = 3
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


class World:
    """A daemon's intake on a topic of three partitions, and its operator."""

    def __init__(self, broker: ApacheKafka, folder: Path) -> None:
        kafka = {
            "bootstrap_servers": [broker.bootstrap], "topic": "reset", "group_id": folder.name,
            "session_timeout_ms": 1_200, "heartbeat_interval_ms": 400, "stalled_after_s": 5.0,
        }  # fmt: skip
        self.settings = line_settings(folder, kafka=kafka)
        self.stores = open_stores(self.settings)
        self.kafka = load_kafka_settings(self.settings)
        self.config = folder / "retuned.yaml"
        self.config.write_text(dump(self.settings), encoding="utf-8")
        self.numbers = iter(range(10**6))
        self.source = KafkaSource(self.kafka, start_offsets=lambda _: self.ledger.starts())
        self.stage = IntakeStage(
            self.source, self.stores, Router(self.settings, Holdout(b"k" * 32, share=0.5)),
            metrics=Metrics(), clock=utc_now, poll_s=0.1, wait=lambda _: None,
        )  # fmt: skip

    @property
    def ledger(self) -> IntakeLedger:
        return self.stores.intake

    def make_topic(self) -> None:
        create_topic(self.kafka, "reset", partitions=PARTITIONS)

    def delete_topic(self) -> None:
        with cluster_admin(self.kafka, 10) as admin:
            admin.delete_topics(["reset"])

    def send(self, each: int) -> None:
        """Write conversations, as many to each partition."""
        with producer(self.kafka, None) as made:
            for number in range(each * PARTITIONS):
                value = encode_record(a_conversation(name := f"c{next(self.numbers)}", user_id=name))
                made.send("reset", value, partition=number % PARTITIONS)

    def read(self, count: int) -> None:
        """Let intake read until the ledger has that many conversations."""
        eventually(lambda: self.stepped() and self.count() >= count, 30)
        assert self.count() == count

    def stepped(self) -> bool:
        """Let intake take one step."""
        self.stage.step()
        return True

    def count(self) -> int:
        return self.stores.conversations.last_seq()

    def halted(self, kind: HaltKind) -> str:
        eventually(lambda: self.stepped() and self.stage.halted, 30)
        current = self.stores.halts.current()
        assert current is not None
        assert current.kind is kind
        return current.reason

    def operator(self, *words: str, stdin: str = "") -> str:
        answer = typed("--config", str(self.config), "intake", *words, stdin=stdin)
        assert answer.exit_code == 0, answer.stderr
        return answer.stdout


@pytest.fixture
def world(apache_kafka: ApacheKafka, tmp_path: Path) -> Iterator[World]:
    with nothing_of_the_client_left():
        made = World(apache_kafka, tmp_path)
        made.make_topic()
        yield made
        made.source.close(2)
        made.delete_topic()
    gc.collect()


def test_a_topic_made_anew_is_read_in_all_partitions_after_one_command(world: World) -> None:
    world.send(each=4)
    world.read(12)
    world.delete_topic()
    world.make_topic()
    world.send(each=5)
    assert "retuned intake reset -m REASON" in world.halted(HaltKind.TOPIC_RECREATED)

    screen = world.operator("reset", "-m", "made anew", stdin="y\n")

    assert screen.count("the new topic, 5 offsets to read") == PARTITIONS
    world.read(12 + 15)
    assert world.stage.halted is None


def test_expired_records_are_passed_over_in_all_partitions_after_one_command(world: World) -> None:
    world.send(each=4)
    world.read(12)
    world.source.close(2)
    world.send(each=4)
    with cluster_admin(world.kafka, 10) as admin:
        admin.delete_records({ClientPartition("reset", number): 6 for number in range(PARTITIONS)})
    assert "retuned intake reset -m REASON" in world.halted(HaltKind.OFFSET_LOST)

    screen = world.operator("reset", "-m", "they expired", stdin="y\n")

    assert screen.count("skips 2 offsets, never to be read") == PARTITIONS
    world.read(12 + 6)


def test_what_is_read_again_is_counted_once(world: World) -> None:
    world.send(each=4)
    world.read(12)
    world.operator("halt", "-m", "to look again")
    world.halted(HaltKind.OPERATOR)

    screen = world.operator("reset", "--to", "earliest", "-m", "look again", stdin="y\n")

    assert screen.count("reads 4 offsets again, each counted once") == PARTITIONS
    world.send(each=1)
    world.read(12 + 3)


def test_json_does_not_mean_yes(world: World) -> None:
    world.send(each=1)
    world.read(3)
    world.operator("halt", "-m", "to look")

    answer = typed("--config", str(world.config), "intake", "reset", "--to", "latest", "-m", "no", "--json")

    assert (answer.exit_code, answer.error["kind"]) == (3, "NotConfirmed")
    assert "--yes" in answer.error["message"]
    assert world.stores.halts.current() is not None


def test_an_operator_who_says_no_changes_nothing(world: World) -> None:
    world.send(each=1)
    world.read(3)
    world.operator("halt", "-m", "to look")

    answer = typed(
        "--config", str(world.config), "intake", "reset", "--to", "latest", "-m", "no", stdin="n\n"
    )

    assert answer.exit_code == 3
    assert world.stores.halts.current() is not None
    assert {start.offset for start in world.ledger.starts().values()} == {1}
