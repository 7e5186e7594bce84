import hashlib
import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.domain.conversation import JSON, Message
from daemon.domain.halts import Halt, HaltKind, OffsetChange
from daemon.domain.holdout import Holdout
from daemon.domain.streams import BrokerUnreachable, TopicPartition, TransactionWait
from daemon.domain.text_digest import text_digest
from daemon.domain.windows import SeqRange
from daemon.intake.dead_letter_stage import DeadLetterStage
from daemon.intake.router import Router
from daemon.intake.stage import IntakeStage
from daemon.ledger.conversations import ConversationLedger
from daemon.telemetry.metrics import Metrics
from tests.factories.ledger import NOW, a_ledger
from tests.factories.stores import some_settings, some_stores
from tests.fakes.kafka import FakeBroker, FakeSink, FakeSource

TOPIC, DEAD = "conversations", "conversations.dead"


class World:
    """A broker with one topic, a ledger, and the stages between them."""

    def __init__(self, folder: Path, *, keep_bytes: bool = True, tombstones: str = "ignore") -> None:
        self.broker = FakeBroker()
        self.engine = a_ledger(folder)
        self.settings = some_settings(
            folder, windows={"size": 20}, dead_letters={"keep": "bytes" if keep_bytes else "digest"},
            kafka={"tombstones": tombstones},
        )  # fmt: skip
        self.stores = some_stores(self.engine, self.settings)
        self.ledger = self.stores.intake
        self.halts = self.stores.halts
        self.letters = self.stores.dead_letters
        self.metrics = Metrics()
        self.restart()

    def restart(self) -> None:
        """A new process on the same ledger."""
        self.source = FakeSource(
            self.broker,
            TOPIC,
            start_offsets=lambda _: self.ledger.starts(),
        )
        self.intake = IntakeStage(
            self.source, self.stores, Router(self.settings, Holdout(b"k" * 32, share=0.5)),
            metrics=self.metrics, clock=lambda: NOW, poll_s=0.0, wait=lambda _: None,
        )  # fmt: skip
        self.dead_letters = DeadLetterStage(
            self.letters, FakeSink(self.broker), topic=DEAD, connected=lambda: self.intake.connected,
            metrics=self.metrics, clock=lambda: NOW,
        )  # fmt: skip

    def send(self, record: object) -> None:
        value = record if isinstance(record, bytes) else json.dumps(record, ensure_ascii=False).encode()
        self.broker.append(TOPIC, None, value)

    def delete(self, name: str) -> None:
        self.broker.append(TOPIC, name.encode(), None)

    def counted(self, kind: str) -> float:
        sample = f'retuned_intake_records_total{{kind="{kind}"}} '.encode()
        lines = self.metrics.exposition("")[1].splitlines()
        return sum(float(line.removeprefix(sample)) for line in lines if line.startswith(sample))

    def turn(self) -> None:
        self.intake.step()
        self.dead_letters.step()

    def stored(self) -> list[str]:
        return [
            conversation.conversation_id
            for conversation in ConversationLedger(self.engine).between(SeqRange(first=1, last=999))
        ]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def a_record(name: str, **more: object) -> dict[str, object]:
    messages = [{"role": "user", "content": "你好"}, {"role": "assistant", "content": f"hello {name}"}]
    return {"conversation_id": name, "ts": NOW.isoformat(), "messages": messages, **more}


def test_conversations_reach_the_ledger_and_the_broker_hears_of_the_offsets(world: World) -> None:
    world.send(a_record("a"))
    world.send(a_record("b"))

    world.turn()

    assert world.stored() == ["a", "b"]
    assert world.source.committed == {TopicPartition(TOPIC, 0): 2}


def test_a_bad_record_goes_to_its_topic_with_its_bytes_and_the_stream_goes_on(world: World) -> None:
    world.send(b"\xffnot json")
    world.send(a_record("b"))

    world.turn()

    assert world.stored() == ["b"]
    assert world.broker.values(DEAD) == [b"\xffnot json"]
    assert world.letters.unpublished(10) == []


def test_a_dead_letter_waits_while_the_broker_is_gone(world: World) -> None:
    world.send(b"bad")
    world.intake.step()
    world.broker.up = False
    world.turn()
    assert len(world.letters.unpublished(10)) == 1

    world.broker.up = True
    world.turn()

    assert world.broker.values(DEAD) == [b"bad"]


def test_after_a_restart_reading_goes_on_from_the_ledgers_offsets(world: World) -> None:
    world.send(a_record("a"))
    world.turn()
    world.send(a_record("b"))

    world.restart()
    world.turn()

    assert world.stored() == ["a", "b"]


def test_conversations_of_another_model_line_are_passed_over(world: World) -> None:
    world.send(a_record("other", model_line="other-bot"))
    world.send(a_record("mine", model_line="chat"))

    world.turn()

    assert world.stored() == ["mine"]
    assert b'retuned_intake_records_total{kind="other_line"} 1.0' in world.metrics.exposition("")[1]


def test_the_users_id_is_not_stored(world: World) -> None:
    world.send(a_record("a", user_id="ada@example.org"))

    world.turn()

    [conversation] = ConversationLedger(world.engine).between(SeqRange(first=1, last=1))
    assert conversation.group == Holdout(b"k" * 32, share=0.5).user_hash("ada@example.org")
    assert conversation.text_digest == text_digest(
        [Message(role="user", content="你好"), Message(role="assistant", content="hello a")]
    )


def test_a_broker_that_is_gone_changes_nothing_and_shows(world: World) -> None:
    world.broker.up = False

    world.turn()

    assert world.stored() == []
    assert b"retuned_broker_connected 0.0" in world.metrics.exposition("")[1]


def test_a_lost_offset_halts_intake_until_an_operator_has_set_another(world: World) -> None:
    world.send(a_record("a"))
    world.turn()
    world.broker.logs.clear()
    world.restart()

    world.turn()
    world.turn()

    assert world.intake.halted is not None
    assert "retuned intake reset -m REASON" in world.intake.halted
    assert world.source.closed

    world.halts.reset(
        [OffsetChange(topic=TOPIC, partition=0, before=None, after=0, at=NOW, by="ada", why="made anew")],
        topic_id=None,
    )
    world.source.rebalance()
    world.send(a_record("b"))
    world.turn()

    assert world.intake.halted is None
    assert world.stored() == ["a", "b"]


def test_a_halt_of_another_replica_stops_this_one(world: World) -> None:
    world.send(a_record("a"))
    world.halts.halt(Halt(kind=HaltKind.OPERATOR, reason="wait", at=NOW))

    world.turn()

    assert world.intake.halted == "wait"
    assert world.stored() == []


def test_dead_letters_keep_only_their_digest_where_that_is_set(tmp_path: Path) -> None:
    world = World(tmp_path, keep_bytes=False)
    world.send(b"my card is 4111")

    world.turn()

    [stored] = world.letters.newest(10)
    assert (stored.letter.value, stored.letter.size) == (None, 15)
    assert stored.letter.digest == hashlib.sha256(b"my card is 4111").hexdigest()
    assert world.broker.values(DEAD) == [None]


def test_a_topic_that_was_made_anew_halts_intake(world: World) -> None:
    world.broker.topic_ids[TOPIC] = "id-1"
    world.send(a_record("a"))
    world.turn()
    world.broker.topic_ids[TOPIC] = "id-2"
    world.restart()

    world.turn()
    world.turn()

    assert world.intake.halted is not None
    assert "recreated: 1 is an offset of topic id id-1, and the topic now has id id-2" in world.intake.halted
    current = world.halts.current()
    assert current is not None
    assert current.kind is HaltKind.TOPIC_RECREATED


def test_a_wait_for_an_open_transaction_is_told_with_its_place_and_since_when(world: World) -> None:
    world.send(a_record("a"))
    world.source.waits = [TransactionWait(TopicPartition(TOPIC, 0), 1020, seconds=90.0)]

    world.turn()

    since = NOW - timedelta(seconds=90)
    assert world.intake.notes == (
        f"waits at {TOPIC}/0@1020 for an open transaction, since {since:%Y-%m-%d %H:%M:%S}Z",
    )
    assert b"retuned_open_transaction_wait_timestamp_seconds" in world.metrics.exposition("")[1]
    assert world.intake.problem is None

    world.source.waits = []
    world.turn()

    assert not world.intake.notes


def test_a_source_that_can_not_read_is_a_problem_but_not_while_intake_is_halted(world: World) -> None:
    world.broker.up = False
    world.turn()
    assert world.intake.problem == "no broker answers"

    world.halts.halt(Halt(kind=HaltKind.OPERATOR, reason="by hand", at=NOW))
    world.turn()

    assert world.intake.problem is None


def test_dead_letters_that_can_not_be_published_are_a_problem(world: World) -> None:
    world.send(b"bad")
    world.intake.step()
    world.dead_letters.step()
    assert world.dead_letters.problem is None

    world.send(b"bad")
    world.intake.step()
    connected = world.intake.connected
    world.broker.up = False
    world.dead_letters._connected = lambda: connected
    world.dead_letters.step()

    assert world.dead_letters.problem == "dead letters wait to be published: no broker answers"


def test_tombstones_in_a_row_are_counted_and_no_dead_letters(world: World) -> None:
    world.send(b"not json")
    for number in range(150):
        world.delete(f"c{number}")
    world.send(a_record("a"))

    world.turn()
    world.turn()

    assert world.intake.halted is None
    assert (world.stored(), world.counted("tombstone")) == (["a"], 150)
    assert len(world.letters.newest(9)) == 1
    assert world.source.committed == {TopicPartition(TOPIC, 0): 152}
    assert world.stores.erasures.log() == []


def test_a_tombstone_erases_its_conversation_where_that_is_set(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path, tombstones="forget")
    world.send(a_record("a"))
    world.send(a_record("b"))
    world.turn()
    world.delete("a")
    caplog.set_level(logging.INFO)
    world.turn()

    world.restart()
    world.send(a_record("a"))
    world.turn()

    assert world.stored() == ["b"]
    assert (world.counted("tombstone"), world.counted("forgotten")) == (1, 1)
    [entry] = world.stores.erasures.log()
    assert (entry.by, entry.why) == ("tombstone", "the topic holds a tombstone at conversations/0@2")
    assert "tombstones erased 1 conversations" in caplog.text


def test_a_dead_letter_of_an_erased_conversation_on_its_topic_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path, tombstones="forget")
    world.send(a_record("a", ts="never"))
    world.turn()
    world.delete("a")
    world.turn()

    assert world.letters.newest(9) == []
    assert "still on the dead-letter topic, under the key conversations/0/0" in caplog.text


def test_a_halted_intake_waits_for_no_transaction(world: World) -> None:
    world.source.waits = [TransactionWait(TopicPartition(TOPIC, 0), 1020, seconds=90.0)]
    world.turn()
    assert world.intake.notes

    world.halts.halt(Halt(kind=HaltKind.OPERATOR, reason="by hand", at=NOW))
    world.turn()

    assert not world.intake.notes
    assert b"retuned_open_transaction_wait_timestamp_seconds{" not in world.metrics.exposition("")[1]


class Schemas:
    """A schema registry that may be away."""

    away = True

    def read(self, payload: bytes, schema_id: int) -> JSON:
        if self.away:
            raise BrokerUnreachable("the registry does not answer")
        return {**a_record("c1"), "ts": NOW.isoformat()}  # type: ignore[dict-item]


def test_records_whose_schema_can_not_be_had_are_read_again_later(world: World) -> None:
    schemas, now = Schemas(), [NOW]
    intake = IntakeStage(
        world.source, world.stores, Router(world.settings, Holdout(b"k" * 32, share=0.5), schemas),
        metrics=world.metrics, clock=lambda: now[0], poll_s=0.0, wait=lambda _: None,
    )  # fmt: skip
    world.send(b"\0\0\0\0\x2a\x02avro")

    intake.step()
    assert (intake.problem, world.stored()) == ("the registry does not answer", [])
    schemas.away = False
    intake.step()  # too early
    assert world.stored() == []
    now[0] += timedelta(seconds=3)
    intake.step()

    assert (intake.problem, world.stored()) == (None, ["c1"])
