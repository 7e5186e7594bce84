import json
from pathlib import Path

import pytest

from daemon.conversation import Message
from daemon.decoding import Limits
from daemon.facts import SeqRange
from daemon.holdout import Holdout, text_digest
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from daemon.metrics import Metrics
from daemon.stages.dead_letters import DeadLetterStage
from daemon.stages.intake import IntakeStage
from daemon.streams import TopicPartition
from tests.factories_ledger import NOW, a_ledger
from tests.fakes_kafka import FakeBroker, FakeSink, FakeSource

TOPIC, DEAD = "conversations", "conversations.dead"


class World:
    """A broker with one topic, a ledger, and the stages between them."""

    def __init__(self, folder: Path) -> None:
        self.broker = FakeBroker()
        self.engine = a_ledger(folder)
        self.ledger = IntakeLedger(self.engine, window_size=20)
        self.metrics = Metrics()
        self.restart()

    def restart(self) -> None:
        """A new process on the same ledger."""
        self.source = FakeSource(
            self.broker,
            TOPIC,
            start_offsets=lambda _: {
                TopicPartition(*at): offset for at, offset in self.ledger.next_offsets().items()
            },
        )
        self.intake = IntakeStage(
            self.source, self.ledger, model_line="chat", holdout=Holdout(b"k" * 32, share=0.5), limits=Limits(),
            metrics=self.metrics, clock=lambda: NOW, poll_s=0.0,
        )  # fmt: skip
        self.dead_letters = DeadLetterStage(
            self.ledger, FakeSink(self.broker), topic=DEAD, connected=lambda: self.intake.connected,
            metrics=self.metrics, clock=lambda: NOW,
        )  # fmt: skip

    def send(self, record: object) -> None:
        value = record if isinstance(record, bytes) else json.dumps(record, ensure_ascii=False).encode()
        self.broker.append(TOPIC, None, value)

    def turn(self) -> None:
        self.intake.step()
        self.dead_letters.step()

    def stored(self) -> list[str]:
        return [
            talk.conversation_id
            for talk in ConversationLedger(self.engine).between(SeqRange(first=1, last=999))
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
    assert world.ledger.unpublished(10) == []


def test_a_dead_letter_waits_while_the_broker_is_gone(world: World) -> None:
    world.send(b"bad")
    world.intake.step()
    world.broker.up = False
    world.turn()
    assert len(world.ledger.unpublished(10)) == 1

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

    [talk] = ConversationLedger(world.engine).between(SeqRange(first=1, last=1))
    assert talk.group == Holdout(b"k" * 32, share=0.5).user_hash("ada@example.org")
    assert talk.text_digest == text_digest(
        [Message(role="user", content="你好"), Message(role="assistant", content="hello a")]
    )


def test_a_broker_that_is_gone_changes_nothing_and_shows(world: World) -> None:
    world.broker.up = False

    world.turn()

    assert world.stored() == []
    assert b"retuned_broker_connected 0.0" in world.metrics.exposition("")[1]
