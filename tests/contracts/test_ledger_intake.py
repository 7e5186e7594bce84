from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from daemon.domain.conversation import Feedback
from daemon.domain.records import Batch
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.counts import LedgerCounts
from daemon.ledger.dead_letters import DeadLetterLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.windows import WindowLedger
from tests.factories.ledger import (
    NOW,
    TOPIC,
    a_batch,
    a_conversation,
    a_dead_letter,
    a_feedback,
    some_conversations,
)


@pytest.fixture
def intake(engine: Engine) -> IntakeLedger:
    return IntakeLedger(engine, window_size=20)


def feedback_of(engine: Engine, seq: int) -> float | None:
    return ConversationLedger(engine).between(SeqRange(first=seq, last=seq))[0].feedback


def test_a_batch_and_its_offset_are_written_together(intake: IntakeLedger) -> None:
    result = intake.record(
        a_batch(some_conversations(0, 5, held_out_every=2), dead_letters=[a_dead_letter(5)])
    )

    assert (result.conversations, result.held_out, result.dead_letters) == (5, 3, 1)
    assert intake.next_offsets() == {(TOPIC, 0): 6}


def test_a_batch_that_fails_half_way_leaves_nothing(intake: IntakeLedger, engine: Engine) -> None:
    broken = replace(a_conversation(1), group=None)  # type: ignore[arg-type]

    with pytest.raises(Exception, match=r"(?i)not.null"):
        intake.record(a_batch([a_conversation(0), broken]))

    assert intake.next_offsets() == {}
    assert ConversationLedger(engine).last_seq() == 0


def test_records_delivered_again_change_nothing(intake: IntakeLedger, engine: Engine) -> None:
    batch = a_batch(some_conversations(0, 5), feedback=[a_feedback(5, "c1")], dead_letters=[a_dead_letter(6)])
    intake.record(batch)

    again = intake.record(batch)

    assert (again.conversations, again.feedback, again.dead_letters, again.duplicates) == (0, 0, 0, 0)
    assert ConversationLedger(engine).last_seq() == 5


def test_a_batch_that_overlaps_an_earlier_one_adds_only_what_is_new(intake: IntakeLedger) -> None:
    intake.record(a_batch(some_conversations(0, 5)))

    assert intake.record(a_batch(some_conversations(3, 5))).conversations == 3
    assert intake.next_offsets() == {(TOPIC, 0): 8}


def test_an_offset_never_goes_back(intake: IntakeLedger) -> None:
    intake.record(a_batch(some_conversations(0, 5)))
    intake.record(Batch(next_offsets={(TOPIC, 0): 2}, received_at=NOW))

    assert intake.next_offsets() == {(TOPIC, 0): 5}


def test_of_two_records_with_one_conversation_id_the_first_counts(
    intake: IntakeLedger, engine: Engine
) -> None:
    first, second = (
        a_conversation(0, name="same", text="first"),
        a_conversation(1, name="same", text="second"),
    )

    result = intake.record(a_batch([first, second]))

    assert (result.conversations, result.duplicates) == (1, 1)
    assert ConversationLedger(engine).between(SeqRange(first=1, last=9))[0].messages[0].content == "first"


def test_feedback_joins_its_conversation_whichever_came_first(intake: IntakeLedger, engine: Engine) -> None:
    intake.record(
        a_batch([a_conversation(0, name="before")], feedback=[a_feedback(1, "after", thumb="down")])
    )
    intake.record(a_batch([a_conversation(2, name="after")], feedback=[a_feedback(3, "before", thumb="up")]))

    assert feedback_of(engine, 1) == 1.0
    assert feedback_of(engine, 2) == -1.0


def test_the_newest_feedback_counts_even_when_it_comes_out_of_order(
    intake: IntakeLedger, engine: Engine
) -> None:
    later, earlier = NOW + timedelta(hours=2), NOW + timedelta(hours=1)
    intake.record(a_batch([a_conversation(0)], feedback=[a_feedback(1, "c0", thumb="up", at=later)]))
    intake.record(a_batch(feedback=[a_feedback(2, "c0", thumb="down", at=earlier)]))

    assert feedback_of(engine, 1) == 1.0


def test_feedback_inside_a_conversation_stays_without_a_later_one(
    intake: IntakeLedger, engine: Engine
) -> None:
    intake.record(a_batch([a_conversation(0, feedback=Feedback(rating=5.0))]))

    assert feedback_of(engine, 1) == 1.0


def test_dead_letters_wait_until_they_are_published(intake: IntakeLedger, engine: Engine) -> None:
    letter, kept = a_dead_letter(0), DeadLetterLedger(engine)
    intake.record(a_batch(dead_letters=[letter]))
    [waiting] = kept.unpublished(10)

    kept.mark_published([waiting.id], NOW)

    assert waiting.letter == letter
    assert kept.unpublished(10) == []


def test_windows_start_after_the_reference_and_never_overlap(intake: IntakeLedger, engine: Engine) -> None:
    references = ReferenceLedger(engine)
    references.start("chat-v0", size=30, after_seq=0, now=NOW)

    closed = [intake.record(a_batch(some_conversations(start, 15))).windows for start in range(0, 90, 15)]

    reference = references.newest()
    assert reference is not None
    assert reference.range == SeqRange(first=1, last=30)
    assert closed == [0, 0, 0, 1, 1, 1]
    first = WindowLedger(engine).next_to_judge()
    assert first is not None
    assert first.range == SeqRange(first=31, last=50)


def test_one_batch_may_fill_the_reference_and_close_windows(intake: IntakeLedger, engine: Engine) -> None:
    ReferenceLedger(engine).start("chat-v0", size=30, after_seq=0, now=NOW)

    assert intake.record(a_batch(some_conversations(0, 95))).windows == 3


def test_no_window_closes_without_a_reference(intake: IntakeLedger) -> None:
    assert intake.record(a_batch(some_conversations(0, 100))).windows == 0


def test_the_same_feedback_sent_twice_is_one(intake: IntakeLedger, engine: Engine) -> None:
    intake.record(a_batch([a_conversation(0)], feedback=[a_feedback(1, "c0")]))

    intake.record(a_batch(feedback=[a_feedback(2, "c0")]))

    assert LedgerCounts(engine).intake().feedback == 1
    assert feedback_of(engine, 1) == 1.0


def test_feedback_that_nothing_vouches_for_is_kept_with_its_conversation_only(intake: IntakeLedger) -> None:
    unsure = [replace(a_feedback(n, name), admitted=False) for n, name in ((1, "c0"), (2, "c9"))]

    result = intake.record(a_batch([a_conversation(0)], feedback=[*unsure, a_feedback(3, "c8")]))

    assert (result.feedback, result.not_admitted) == (2, 1)


def test_the_topics_own_id_is_kept_with_the_offset(intake: IntakeLedger, engine: Engine) -> None:
    intake.record(replace(a_batch([a_conversation(0)]), topic_ids={TOPIC: "id-1"}))

    assert LedgerCounts(engine).intake().positions[0].topic_id == "id-1"
