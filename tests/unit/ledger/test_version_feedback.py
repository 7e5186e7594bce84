import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from daemon.domain.records import NewConversation, NewFeedback
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.version_feedback import VersionFeedback, VersionFeedbackLedger
from tests.factories.ledger import NOW, a_batch, a_conversation, a_feedback, a_ledger

HOUR = timedelta(hours=1)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return a_ledger(tmp_path)


def test_feedback_hours_later_counts_for_the_version_that_was_live_then(engine: Engine) -> None:
    intake, opinions = IntakeLedger(engine, window_size=20), VersionFeedbackLedger(engine)
    intake.record(a_batch([a_conversation(0), a_conversation(1)]))  # at NOW, naming no version

    intake.record(a_batch(feedback=[a_feedback(2, "c0", thumb="down", at=NOW + 9 * HOUR)]))

    assert opinions.of("chat-v1", [(NOW - HOUR, NOW + HOUR)]) == VersionFeedback(conversations=1, mean=-1.0)
    assert opinions.of("chat-v2", [(NOW + HOUR, None)]) == VersionFeedback(conversations=0, mean=None)


def test_feedback_before_its_conversation_waits_for_it(engine: Engine) -> None:
    intake = IntakeLedger(engine, window_size=20)
    intake.record(a_batch(feedback=[a_feedback(0, "c1")]))

    intake.record(a_batch([a_conversation(1)]))

    assert VersionFeedbackLedger(engine).of("chat-v1", [(NOW, None)]) == VersionFeedback(
        conversations=1, mean=1.0
    )


RECORDS: list[NewConversation | NewFeedback] = [
    a_conversation(0),
    a_conversation(1),
    a_feedback(0, "c0", thumb="up", at=NOW + HOUR),
    a_feedback(0, "c0", thumb="down", at=NOW + 2 * HOUR),
    a_feedback(0, "c1", thumb="down", at=NOW + HOUR),
    a_feedback(0, "c1", thumb="up", at=NOW + HOUR),  # two that can't be told apart by their time
]


def joined(order: Sequence[NewConversation | NewFeedback]) -> dict[str, float | None]:
    """What conversations say of their feedback after the records came one by one in this order."""
    with TemporaryDirectory() as folder:
        engine = a_ledger(Path(folder))
        intake = IntakeLedger(engine, window_size=20)
        for offset, record in enumerate(order):
            at = a_conversation(offset).at
            if isinstance(record, NewFeedback):
                moved = NewFeedback(
                    conversation_id=record.conversation_id, at=at, when=record.when, feedback=record.feedback
                )
                intake.record(a_batch(feedback=[moved]))
            else:
                intake.record(a_batch([a_conversation(offset, name=record.conversation.conversation_id)]))
        found = ConversationLedger(engine).between(SeqRange(first=1, last=9))
        engine.dispose()
    return {conversation.conversation_id: conversation.feedback for conversation in found}


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.lists(st.sampled_from(RECORDS), max_size=3))
def test_in_any_order_and_however_often_the_same_feedback_counts(
    chance: random.Random, again: list[NewConversation | NewFeedback]
) -> None:
    order = [*RECORDS, *again]
    chance.shuffle(order)

    assert joined(order) == joined(RECORDS)
