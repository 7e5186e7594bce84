from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon.domain.streams import BrokerUnreachable
from daemon.intake.requeueing import BytesNotKept, requeue, select_letters
from daemon.ledger.dead_letters import DeadLetterLedger
from daemon.ledger.intake import IntakeLedger
from tests.factories.ledger import NOW, TOPIC, a_batch, a_dead_letter, a_ledger
from tests.fakes.kafka import FakeBroker, FakeSink


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = a_ledger(tmp_path)
    letters = [a_dead_letter(0), replace(a_dead_letter(1), reason="too_large")]
    IntakeLedger(engine, window_size=20).record(a_batch(dead_letters=letters))
    return engine


def test_the_original_bytes_come_again_and_once(engine: Engine) -> None:
    ledger, broker = DeadLetterLedger(engine), FakeBroker()

    count = requeue(ledger, FakeSink(broker), select_letters(ledger), clock=lambda: NOW)
    again = requeue(ledger, FakeSink(broker), select_letters(ledger), clock=lambda: NOW)

    assert (count, again) == (2, 0)
    assert broker.values(TOPIC) == [b"\xff", b"\xff"]
    assert ledger.newest(1)[0].requeued_at == NOW


def test_one_reason_can_be_chosen(engine: Engine) -> None:
    ledger = DeadLetterLedger(engine)

    assert [stored.letter.at.offset for stored in select_letters(ledger, reason="too_large")] == [1]


def test_a_broker_that_does_not_answer_changes_nothing(engine: Engine) -> None:
    ledger, broker = DeadLetterLedger(engine), FakeBroker()
    broker.up = False

    with pytest.raises(BrokerUnreachable, match="0 were requeued"):
        requeue(ledger, FakeSink(broker), select_letters(ledger), clock=lambda: NOW)

    assert [stored.requeued_at for stored in ledger.newest(10)] == [None, None]


def test_a_letter_without_its_bytes_is_refused(engine: Engine) -> None:
    ledger, broker = DeadLetterLedger(engine), FakeBroker()
    IntakeLedger(engine, window_size=20).record(a_batch(dead_letters=[replace(a_dead_letter(2), value=None)]))

    with pytest.raises(BytesNotKept, match="conversations/0@2"):
        requeue(ledger, FakeSink(broker), select_letters(ledger), clock=lambda: NOW)

    assert broker.values(TOPIC) == []
