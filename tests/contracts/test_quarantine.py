from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from daemon.config.settings import DeadLettersSection, HygieneSection
from daemon.domain.bad_record import Reason
from daemon.domain.records import BatchResult, NewConversation
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.dead_letters import DeadLetterLedger
from daemon.ledger.intake import IntakeLedger
from tests.factories.ledger import NOW, a_batch, a_conversation

LIMIT = HygieneSection(burst_conversations=3, burst_s=3_600)


@pytest.fixture
def intake(engine: Engine) -> IntakeLedger:
    return IntakeLedger(engine, window_size=20, hygiene=LIMIT)


def flood(
    first: int, count: int, *, user: str | None = "bot", at: timedelta = timedelta()
) -> list[NewConversation]:
    return [
        replace(a_conversation(offset, user=user, at=NOW + at), value=b"{%d}" % offset, size=3)
        for offset in range(first, first + count)
    ]


def kept(result: BatchResult) -> tuple[int, int]:
    return result.conversations, result.set_aside


def test_what_one_user_sends_above_the_limit_is_set_aside(intake: IntakeLedger, engine: Engine) -> None:
    assert kept(intake.record(a_batch(flood(0, 5)))) == (3, 2)

    letters = DeadLetterLedger(engine).newest(9)
    assert [stored.letter.reason for stored in letters] == [Reason.BURST] * 2
    assert letters[0].letter.value == b"{4}"
    assert "more than 3 conversations within 1:00:00" in letters[0].letter.message


def test_the_limit_holds_over_batches_and_restarts(intake: IntakeLedger, engine: Engine) -> None:
    intake.record(a_batch(flood(0, 2)))

    again = IntakeLedger(engine, window_size=20, hygiene=LIMIT)

    assert kept(again.record(a_batch(flood(2, 2)))) == (1, 1)


def test_each_user_and_each_hour_counts_by_itself(intake: IntakeLedger) -> None:
    intake.record(a_batch(flood(0, 3)))

    assert kept(intake.record(a_batch(flood(3, 3, user="ada")))) == (3, 0)
    assert kept(intake.record(a_batch(flood(6, 3, at=timedelta(hours=1))))) == (3, 0)
    assert kept(intake.record(a_batch(flood(9, 3, at=timedelta(hours=-1))))) == (3, 0)


def test_times_before_1970_count_too(intake: IntakeLedger) -> None:
    assert kept(intake.record(a_batch(flood(0, 2, at=timedelta(days=-30_000))))) == (2, 0)
    assert kept(intake.record(a_batch(flood(2, 2, at=timedelta(days=-30_000))))) == (1, 1)


def test_conversations_of_nobody_known_are_never_a_burst(intake: IntakeLedger) -> None:
    assert kept(intake.record(a_batch(flood(0, 9, user=None)))) == (9, 0)


def test_a_record_that_comes_again_counts_once_against_its_user(intake: IntakeLedger) -> None:
    intake.record(a_batch(flood(0, 2)))
    again = [
        replace(new, at=replace(new.at, offset=new.at.offset + 10)) for new in flood(0, 2)
    ]  # sent twice by the producer

    result = intake.record(a_batch([*again, *flood(20, 1)]))

    assert (result.duplicates, *kept(result)) == (2, 1, 0)


def test_a_flood_does_not_halt_intake_for_everybody(engine: Engine) -> None:
    ceiling = DeadLettersSection(max_share=0.5, among=20, max_run=5)
    intake = IntakeLedger(engine, window_size=20, hygiene=LIMIT, dead_letters=ceiling)

    assert intake.record(a_batch(flood(0, 100))).halt is None


def test_what_an_operator_puts_back_is_let_in_if_it_is_the_same_record(
    intake: IntakeLedger, engine: Engine
) -> None:
    intake.record(a_batch(flood(0, 5)))
    aside = flood(3, 1)[0]
    back = replace(aside, at=replace(aside.at, offset=5), requeued=aside.at)
    forged = replace(flood(6, 1)[0], requeued=aside.at)

    assert kept(intake.record(a_batch([back, forged]))) == (1, 1)
    assert ConversationLedger(engine).last_seq() == 4
