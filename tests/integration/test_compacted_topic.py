"""Tombstones of a compacted topic on Kafka itself: passed over, or erasing, and never a halt."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import orjson
import pytest

from daemon.domain.holdout import Holdout
from daemon.domain.streams import TopicPartition
from daemon.domain.windows import SeqRange
from daemon.intake.router import Router
from daemon.intake.stage import IntakeStage
from daemon.kafka import KafkaSink, KafkaSource
from daemon.kafka.admin import cluster_admin
from daemon.kafka.settings import KafkaSettings
from daemon.ledger.stores import Stores
from daemon.telemetry.metrics import Metrics
from tests.factories.ledger import NOW, a_ledger
from tests.factories.stores import some_settings, some_stores
from tests.servers.brokers import KAFKA_ITSELF, Cluster, running
from tests.support.helpers import eventually
from tests.support.reading import nothing_of_the_client_left

Tombstones: TypeAlias = Literal["ignore", "forget"]
#: More than the dead letters in a row that halt intake.
IN_A_ROW = 150


@pytest.fixture(scope="module", params=KAFKA_ITSELF)
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with running(request) as found:
        yield found


@pytest.fixture
def kafka(cluster: Cluster) -> Iterator[KafkaSettings]:
    """A compacted topic of one partition."""
    with cluster.topic(partitions=None) as found:
        topic = {"num_partitions": 1, "configs": {"cleanup.policy": "compact"}}
        with cluster_admin(found, 20) as admin:
            admin.create_topics({found.topic: topic}, timeout_ms=20_000)
        yield found


def conversation(name: str) -> bytes:
    messages = [{"role": "user", "content": "你好"}, {"role": "assistant", "content": f"hello {name}"}]
    return orjson.dumps({"conversation_id": name, "ts": NOW.isoformat(), "messages": messages})


class Intake:
    """Intake of a compacted topic into a ledger."""

    def __init__(self, kafka: KafkaSettings, folder: Path, tombstones: Tombstones) -> None:
        self._kafka = kafka
        self._settings = some_settings(folder, kafka={"tombstones": tombstones})
        self._engine = a_ledger(folder)
        self.stores: Stores = some_stores(self._engine, self._settings)
        self.metrics = Metrics()

    def write(self, records: list[tuple[str, bytes | None]]) -> None:
        sink = KafkaSink(self._kafka)
        for name, value in records:
            sink.send(self._kafka.topic, name.encode(), value)
        assert sink.close(20)

    def read_up_to(self, offset: int) -> IntakeStage:
        """Have a new process read the topic from the ledger's offsets."""
        source = KafkaSource(self._kafka, start_offsets=lambda _: self.stores.intake.starts())
        stage = IntakeStage(
            source, self.stores, Router(self._settings, Holdout(b"k" * 32, share=0.5)),
            metrics=self.metrics, clock=lambda: NOW, poll_s=0.2, wait=lambda _: None,
        )  # fmt: skip
        partition = TopicPartition(self._kafka.topic, 0)

        def is_there() -> bool:
            stage.step()
            return self.stores.intake.next_offsets().get(partition) == offset

        eventually(is_there, 30)
        stage.step()
        stage.close(2)
        return stage

    def stored(self) -> list[str]:
        found = self.stores.conversations.between(SeqRange(first=1, last=99))
        return [conversation.conversation_id for conversation in found]

    def close(self) -> None:
        self._engine.dispose()


@pytest.fixture
def intake(kafka: KafkaSettings, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Intake]:
    with nothing_of_the_client_left():
        made = Intake(kafka, tmp_path, request.param)
        yield made
        made.close()


@pytest.mark.parametrize("intake", ["ignore", "forget"], indirect=True)
def test_tombstones_in_a_row_do_not_halt_intake(intake: Intake) -> None:
    deleted: list[tuple[str, bytes | None]] = [(f"gone-{number}", None) for number in range(IN_A_ROW)]
    intake.write([("a", conversation("a")), *deleted, ("b", conversation("b"))])

    stage = intake.read_up_to(IN_A_ROW + 2)

    assert stage.halted is None
    assert intake.stored() == ["a", "b"]
    assert intake.stores.dead_letters.newest(9) == []
    counted = f'retuned_intake_records_total{{kind="tombstone"}} {IN_A_ROW}.0'
    assert counted.encode() in intake.metrics.exposition("")[1]


@pytest.mark.parametrize("intake", ["forget"], indirect=True)
def test_a_tombstone_erases_its_conversation_for_good(intake: Intake) -> None:
    intake.write([("a", conversation("a")), ("b", conversation("b"))])
    intake.read_up_to(2)
    intake.write([("a", None), ("c", conversation("c")), ("c", None), ("a", conversation("a"))])

    intake.read_up_to(6)

    assert intake.stored() == ["b"]
    reasons = [entry.why.partition("/")[2] for entry in intake.stores.erasures.log()]
    assert reasons == ["0@2", "0@4"]
    intake.stores.erasures.verify()
