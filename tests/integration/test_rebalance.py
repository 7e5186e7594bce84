"""Members that are too slow, and records that come again, on a real ledger."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon.domain.holdout import Holdout
from daemon.domain.streams import RawRecord, Start, StartOffsets, TopicPartition
from daemon.domain.windows import SeqRange
from daemon.intake.router import Router
from daemon.intake.stage import IntakeStage
from daemon.kafka import KafkaSource, create_topic
from daemon.kafka.settings import KafkaSettings
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.database import connect
from daemon.ledger.intake import IntakeLedger
from daemon.telemetry.metrics import Metrics
from tests.factories.intake import a_record, as_bytes, kafka_settings
from tests.factories.ledger import NOW, a_ledger
from tests.factories.stores import some_settings, some_stores
from tests.servers.brokers import Broker, shared_broker
from tests.support.reading import fill, wait_until

pytestmark = pytest.mark.usefixtures("clients_are_gone")

PARTITIONS = 2
RESETS = 20


@pytest.fixture(scope="module")
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Tansu, where it takes the place of Apache Kafka, must be burdened by no other test: groups come and go here."""
    with shared_broker(request) as running:
        yield running


@pytest.fixture
def settings(broker: Broker, topic: str) -> KafkaSettings:
    made = kafka_settings(broker.bootstrap, topic)
    create_topic(made, topic, partitions=PARTITIONS)
    return made


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = a_ledger(tmp_path)
    yield made
    made.dispose()


def a_stage(source: KafkaSource, engine: Engine) -> IntakeStage:
    passed = iter(range(10**9))

    def clock() -> datetime:
        return NOW + timedelta(seconds=next(passed))

    settings = some_settings(Path(), model_line="support-bot", windows={"size": 20})
    return IntakeStage(
        source, some_stores(engine, settings), Router(settings, Holdout(b"k" * 32, share=0.5)),
        metrics=Metrics(), clock=clock, poll_s=0.1, wait=lambda _: None,
    )  # fmt: skip


def after_a_step(stage: IntakeStage, condition: Callable[[], bool]) -> bool:
    stage.step()
    return condition()


def talk(name: str) -> bytes:
    return as_bytes(a_record(conversation_id=name))


def counted(engine: Engine) -> int:
    return ConversationLedger(engine).last_seq()


class DawdlingSource(KafkaSource):
    """Comes back late from a poll, with records in hand, where it is told to."""

    def __init__(self, settings: KafkaSettings, *, start_offsets: StartOffsets) -> None:
        super().__init__(settings, start_offsets=start_offsets)
        self.dawdles = False
        self.holding = threading.Event()
        self.go_on = threading.Event()

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[RawRecord]:
        records = super().poll(timeout_s, max_records)
        if records and self.dawdles:
            self.dawdles = False
            self.holding.set()
            assert self.go_on.wait(60)
        return records


class Replica:
    """A member of the group with an intake of its own on the shared ledger."""

    def __init__(self, settings: KafkaSettings, ledger: Path) -> None:
        self._engine = connect(f"sqlite:///{ledger}")
        self.assigned: frozenset[TopicPartition] = frozenset()
        self.source = DawdlingSource(settings, start_offsets=self._starts)
        self._stage = a_stage(self.source, self._engine)
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def leave(self) -> None:
        self._leave.set()
        self.source.go_on.set()
        self._thread.join(20)
        self._engine.dispose()

    def _starts(self, assigned: Iterable[TopicPartition]) -> Mapping[TopicPartition, Start]:
        self.assigned = frozenset(assigned)
        return IntakeLedger(self._engine, window_size=20).starts()

    def _read(self) -> None:
        while not self._leave.is_set():
            self._stage.step()
        self._stage.close(2)


def test_a_member_that_was_too_slow_counts_nothing_twice_and_comes_back(
    settings: KafkaSettings, engine: Engine, tmp_path: Path
) -> None:
    settings = replace(settings, max_poll_interval_ms=2_000)
    names = [f"c-{number}" for number in range(150)]
    slow = Replica(settings, tmp_path / "ledger.db")
    wait_until(lambda: len(slow.assigned) == PARTITIONS)
    quick = Replica(settings, tmp_path / "ledger.db")
    try:
        wait_until(lambda: len(slow.assigned) == len(quick.assigned) == 1)
        fill(settings, *[talk(name) for name in names[:50]])
        wait_until(lambda: counted(engine) == 50)
        slow.source.dawdles = True
        fill(settings, *[talk(name) for name in names[50:100]])
        assert slow.source.holding.wait(20)

        wait_until(lambda: len(quick.assigned) == PARTITIONS)  # the slow one was put out
        wait_until(lambda: counted(engine) == 100)
        slow.assigned = frozenset()
        slow.source.go_on.set()  # it records what it held, and commits
        wait_until(lambda: len(slow.assigned) == len(quick.assigned) == 1)
        fill(settings, *[talk(name) for name in names[100:]])
        wait_until(lambda: counted(engine) >= 150)
    finally:
        slow.leave()
        quick.leave()

    found = ConversationLedger(engine).between(SeqRange(first=1, last=999))
    assert Counter(stored.conversation_id for stored in found) == Counter(names)
    assert sum(IntakeLedger(engine, window_size=20).next_offsets().values()) == 150


def everything(folder: Path) -> list[str]:
    """All tables of the ledger, as the statements that would make them again.

    The file itself changes with each transaction, though its rows do not: SQLite counts the transactions in its header.
    """
    with closing(sqlite3.connect(folder / "ledger.db")) as ledger:
        return list(ledger.iterdump())


@pytest.fixture
def filled(settings: KafkaSettings, engine: Engine) -> int:
    """All kinds of records, counted once; returns how many there are."""
    talks = [talk(f"c-{number}") for number in range(60)]
    opinions = [
        as_bytes({"conversation_id": f"c-{number}", "ts": NOW.isoformat(), "feedback": {"thumb": "up"}})
        for number in range(0, 80, 4)
    ]
    sent = [*talks, *opinions, *talks[:5], b"not json", b"\xff", as_bytes({"conversation_id": "half"})]
    fill(settings, *sent)
    ledger = IntakeLedger(engine, window_size=20)
    source = KafkaSource(settings, start_offsets=lambda _: ledger.starts())
    stage = a_stage(source, engine)
    try:
        wait_until(
            lambda: after_a_step(stage, lambda: sum(ledger.next_offsets().values()) == len(sent)), seconds=60
        )
    finally:
        source.close(2)
    assert counted(engine) == 60
    return len(sent)


def read_to_the_end(settings: KafkaSettings, engine: Engine) -> None:
    """As a new member, and tell the broker at last that nothing was read."""
    source = KafkaSource(settings, start_offsets=lambda _: IntakeLedger(engine, window_size=20).starts())
    stage = a_stage(source, engine)
    try:
        wait_until(
            lambda: after_a_step(stage, lambda: list((source.lag() or {}).values()) == [0] * PARTITIONS),
        )
        source.commit({TopicPartition(settings.topic, number): 0 for number in range(PARTITIONS)})
    finally:
        source.close(2)


def test_offsets_of_the_group_that_are_reset_change_nothing(
    settings: KafkaSettings, engine: Engine, filled: int, tmp_path: Path
) -> None:
    before = everything(tmp_path)
    for _ in range(RESETS):
        read_to_the_end(settings, engine)

    assert everything(tmp_path) == before


def step_until(stage: IntakeStage, condition: Callable[[], bool]) -> None:
    try:
        wait_until(lambda: after_a_step(stage, condition))
    finally:
        stage.close(2)


def test_a_topic_that_is_delivered_again_and_again_is_counted_once(
    settings: KafkaSettings, engine: Engine, filled: int, tmp_path: Path
) -> None:
    before = everything(tmp_path)
    delivered: set[tuple[int, int]] = set()

    class Telling(KafkaSource):
        def poll(self, timeout_s: float, max_records: int | None = None) -> list[RawRecord]:
            records = super().poll(timeout_s, max_records)
            delivered.update((record.partition, record.offset) for record in records)
            return records

    for again in range(RESETS):
        delivered.clear()
        # A group of its own each time: what is delivered matters here, and not how soon a broker lets somebody in.
        alone = replace(settings, group_id=f"{settings.group_id}-{again}")
        step_until(
            a_stage(Telling(alone, start_offsets=lambda _: {}), engine), lambda: len(delivered) == filled
        )

    assert everything(tmp_path) == before
