from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon.config.settings import DeadLettersSection
from daemon.domain.halts import Halt, HaltKind, OffsetChange
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.dead_letters import DeadLetterLedger
from daemon.ledger.halts import HaltLedger, NothingHalted
from daemon.ledger.intake import IntakeLedger
from tests.factories.ledger import (
    NOW,
    TOPIC,
    a_batch,
    a_conversation,
    a_dead_letter,
    a_ledger,
    some_conversations,
)

HALT = Halt(kind=HaltKind.OPERATOR, reason="the producer is broken", at=NOW)
CEILING = DeadLettersSection(max_share=0.5, among=50, max_run=10)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return a_ledger(tmp_path)


@pytest.fixture
def halts(engine: Engine) -> HaltLedger:
    return HaltLedger(engine)


@pytest.fixture
def intake(engine: Engine) -> IntakeLedger:
    return IntakeLedger(engine, window_size=20, dead_letters=CEILING)


def a_change(offset: int) -> OffsetChange:
    return OffsetChange(
        topic=TOPIC, partition=0, before=None, after=offset, at=NOW, by="ada", why="made anew"
    )


def letters(first: int, count: int) -> list:  # type: ignore[type-arg]
    return [a_dead_letter(offset) for offset in range(first, first + count)]


def test_while_intake_is_halted_no_batch_is_recorded(
    halts: HaltLedger, intake: IntakeLedger, engine: Engine
) -> None:
    halts.halt(HALT)

    assert intake.record(a_batch(some_conversations(0, 5))).refused
    assert intake.next_offsets() == {}
    assert ConversationLedger(engine).last_seq() == 0


def test_a_second_reason_does_not_hide_the_first(halts: HaltLedger) -> None:
    halts.halt(HALT)

    halts.halt(Halt(kind=HaltKind.OFFSET_LOST, reason="gone", at=NOW))

    current = halts.current()
    assert current is not None
    assert current.reason == HALT.reason
    assert len(halts.recent(10)) == 1


def test_resuming_says_who_and_why(halts: HaltLedger, intake: IntakeLedger) -> None:
    halts.halt(HALT)

    halts.resume(by="ada", why="mended", now=NOW)

    assert halts.current() is None
    [past] = halts.recent(10)
    assert (past.cleared_by, past.why, past.cleared_at) == ("ada", "mended", NOW)
    assert intake.record(a_batch(some_conversations(0, 5))).conversations == 5


def test_there_is_nothing_to_resume_while_intake_goes_on(halts: HaltLedger) -> None:
    with pytest.raises(NothingHalted, match="not halted"):
        halts.resume(by="ada", why="x", now=NOW)
    with pytest.raises(NothingHalted):
        halts.reset([a_change(0)], topic_id=None)


def test_seeking_back_counts_nothing_twice(halts: HaltLedger, intake: IntakeLedger, engine: Engine) -> None:
    batch = a_batch(some_conversations(0, 5))
    intake.record(batch)
    halts.halt(HALT)

    halts.reset([a_change(0)], topic_id=None)

    assert intake.next_offsets() == {(TOPIC, 0): 0}
    assert intake.record(batch).duplicates == 5
    assert ConversationLedger(engine).last_seq() == 5
    [change] = halts.recent_offset_changes(10)
    assert (change.before, change.after, change.by) == (5, 0, "ada")


def test_a_partition_that_was_never_read_can_be_placed(halts: HaltLedger, intake: IntakeLedger) -> None:
    halts.halt(HALT)

    halts.reset([a_change(7)], topic_id=None)

    assert intake.next_offsets() == {(TOPIC, 0): 7}


def test_a_run_of_dead_letters_halts_intake_and_loses_none(
    intake: IntakeLedger, halts: HaltLedger, engine: Engine
) -> None:
    intake.record(a_batch(some_conversations(0, 20), dead_letters=letters(20, 9)))
    assert halts.current() is None

    result = intake.record(a_batch(dead_letters=letters(29, 1)))

    assert result.halt is not None
    assert "the last 10 records in a row" in result.halt.reason
    assert "not_json (10 times, the last at conversations/0@29)" in result.halt.reason
    assert len(DeadLetterLedger(engine).unpublished(100)) == 10
    assert intake.record(a_batch([a_conversation(30)])).refused


def test_after_resuming_earlier_dead_letters_are_forgiven(intake: IntakeLedger, halts: HaltLedger) -> None:
    intake.record(a_batch(dead_letters=letters(0, 10)))
    halts.resume(by="ada", why="the producer is mended", now=NOW + timedelta(seconds=1))

    later = NOW + timedelta(seconds=2)
    result = intake.record(a_batch(some_conversations(10, 5), dead_letters=letters(15, 9), at=later))

    assert result.halt is None
