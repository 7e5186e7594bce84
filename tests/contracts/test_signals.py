"""Opinions and losses are numbered in the order in which they became known, on both databases."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, update

from daemon.domain.conversation import Feedback
from daemon.domain.decisions import Action, Decision
from daemon.domain.records import Coordinates, NewConversation
from daemon.domain.runs import Run, RunState
from daemon.domain.windows import SeqRange
from daemon.ledger.database import reader
from daemon.ledger.decisions import DecisionLedger
from daemon.ledger.erasures import ErasureLedger, Subject
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.runs import RunLedger
from daemon.ledger.signals import LateSignal, SignalLedger
from daemon.ledger.tables import losses, opinions
from daemon.retention.conversations import ConversationRetention
from daemon.retention.history import HistoryRetention
from tests.factories.ledger import (
    NOW,
    TOPIC,
    a_batch,
    a_conversation,
    a_dead_letter,
    a_feedback,
    some_conversations,
)
from tests.factories.retention import some_retention

LATER = NOW + timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def intake(engine: Engine) -> IntakeLedger:
    return IntakeLedger(engine, window_size=20)


@pytest.fixture
def signals(engine: Engine) -> SignalLedger:
    return SignalLedger(engine)


def heard(signals: SignalLedger, after: int = 0) -> list[tuple[int, float | None, str]]:
    return [(one.seq, one.value, one.kind) for one in signals.opinions(after=after, limit=99)]


def rated(offset: int, rating: float) -> NewConversation:
    return a_conversation(offset, feedback=Feedback(rating=rating))


def test_opinions_come_in_the_order_in_which_the_ledger_had_both(
    intake: IntakeLedger, signals: SignalLedger
) -> None:
    intake.record(a_batch([a_conversation(0), rated(1, 4.0), a_conversation(2)]))  # with its conversation
    intake.record(
        a_batch(feedback=[a_feedback(3, "c2"), a_feedback(4, "c9", thumb="down")])
    )  # late; too early
    intake.record(a_batch(feedback=[a_feedback(5, "c0", thumb="down", at=LATER)]))
    intake.record(a_batch([a_conversation(6, name="c9")]))

    assert heard(signals) == [
        (2, 0.5, "rating"), (3, 1.0, "thumb"), (1, -1.0, "thumb"), (4, -1.0, "thumb"),
    ]  # fmt: skip
    third = signals.opinions(after=0, limit=3)[-1]
    assert heard(signals, third.number) == [(4, -1.0, "thumb")]


def test_the_first_word_on_a_conversation_counts_however_often_it_is_said(
    intake: IntakeLedger, signals: SignalLedger
) -> None:
    intake.record(a_batch([a_conversation(0, feedback=Feedback(correction="no"))]))
    for offset in (1, 2):
        intake.record(a_batch(feedback=[a_feedback(offset, "c0")]))
    intake.record(a_batch([replace(a_conversation(3, name="c0", feedback=Feedback(thumb="up")))]))

    assert heard(signals) == [(1, -1.0, "correction")]


def test_of_two_that_come_at_once_the_newer_counts(intake: IntakeLedger, signals: SignalLedger) -> None:
    feedback = [a_feedback(1, "c0", thumb="down"), a_feedback(2, "c0", at=LATER)]

    intake.record(a_batch([a_conversation(0)], feedback=feedback))

    assert heard(signals) == [(1, 1.0, "thumb")]


def spoken(
    signals: SignalLedger, *, now: datetime = NOW + 9 * DAY, after: int = 0, limit: int = 99
) -> list[tuple[int, float | None]]:
    """Who said within a day what he thinks."""
    found = signals.feedback_given(after=after, limit=limit, now=now, wait=DAY)
    assert all(one.number == one.seq for one in found)
    return [(one.seq, one.value) for one in found]


def read_on(intake: IntakeLedger, offset: int, *, days: float = 9) -> None:
    """One more conversation, up to whose time the stream is read."""
    at = NOW + days * DAY
    intake.record(a_batch([a_conversation(offset, at=at)], at=at))


def test_users_spoke_in_time_or_not(intake: IntakeLedger, signals: SignalLedger) -> None:
    in_time, late = NOW + DAY, NOW + DAY + timedelta(seconds=1)
    intake.record(a_batch([rated(0, 3.0), *some_conversations(1, 4)]))
    intake.record(a_batch(feedback=[a_feedback(5, "c1", at=in_time), a_feedback(6, "c2", at=late)]))
    intake.record(a_batch(feedback=[a_feedback(7, "c3", at=late), a_feedback(8, "c3", at=in_time)]))
    read_on(intake, 9)

    assert spoken(signals) == [(1, 1.0), (2, 1.0), (3, 0.0), (4, 1.0), (5, 0.0)]
    assert spoken(signals, after=1, limit=2) == [(2, 1.0), (3, 0.0)]
    assert spoken(signals, after=5) == []


def test_a_user_who_spoke_with_the_conversation_and_again_later_spoke_in_time(
    intake: IntakeLedger, signals: SignalLedger
) -> None:
    intake.record(a_batch([rated(0, 3.0)], feedback=[a_feedback(1, "c0", at=NOW + 2 * DAY)]))
    read_on(intake, 2)

    assert spoken(signals) == [(1, 1.0)]
    assert heard(signals) == [(1, 1.0, "thumb")]


def test_an_opinion_of_an_unknown_time_was_in_time(
    intake: IntakeLedger, signals: SignalLedger, engine: Engine
) -> None:
    intake.record(a_batch([a_conversation(0)], feedback=[a_feedback(1, "c0", at=NOW + 5 * DAY)]))
    read_on(intake, 2)
    assert spoken(signals) == [(1, 0.0)]

    with engine.begin() as connection:
        connection.execute(update(opinions).values(at=None))

    assert spoken(signals) == [(1, 1.0)]


def test_whether_a_user_spoke_is_told_once_the_wait_is_over_since_the_ledger_got_the_conversation(
    intake: IntakeLedger, signals: SignalLedger
) -> None:
    """However long ago it took place: feedback on it may be about to be read."""
    intake.record(a_batch([a_conversation(0)], at=NOW + DAY))
    read_on(intake, 1, days=2)

    assert spoken(signals, now=NOW + 2 * DAY - timedelta(seconds=1)) == []
    assert spoken(signals, now=NOW + 2 * DAY) == [(1, 0.0)]


def test_what_the_stream_was_not_read_for_is_no_silence(intake: IntakeLedger, signals: SignalLedger) -> None:
    """Nothing was read for a week: the feedback of its first day is still in the topic."""
    intake.record(a_batch([a_conversation(0)]))
    read_on(intake, 1, days=0.5)
    week = NOW + 7 * DAY
    assert spoken(signals, now=week) == []

    feedback = a_feedback(2, "c1", at=NOW + DAY)
    intake.record(a_batch([a_conversation(3, at=NOW + DAY)], feedback=[feedback], at=week))
    assert spoken(signals, now=week) == [(1, 0.0)]
    read_on(intake, 4, days=7)

    assert spoken(signals, now=week) == [(1, 0.0), (2, 1.0)]


def in_partition(new: NewConversation, topic: str, partition: int) -> NewConversation:
    """The same conversation from another partition."""
    return replace(new, at=replace(new.at, topic=topic, partition=partition))


def read_from(
    intake: IntakeLedger, offset: int, *, partition: int, days: float, received_days: float
) -> None:
    """One more conversation, from a partition that may lag behind the others."""
    new = in_partition(a_conversation(offset, at=NOW + days * DAY), TOPIC, partition)
    batch = a_batch([new], at=NOW + received_days * DAY)
    intake.record(replace(batch, next_offsets={(TOPIC, partition): offset + 1}))


def test_silence_waits_for_a_partition_that_lags(intake: IntakeLedger, signals: SignalLedger) -> None:
    """Its feedback on the first conversation may not be read yet."""
    intake.record(a_batch([a_conversation(0)]))
    read_from(intake, 1, partition=1, days=0.5, received_days=2)
    read_on(intake, 2, days=2)
    assert spoken(signals, now=NOW + 2 * DAY) == []

    read_from(intake, 3, partition=1, days=1, received_days=2)

    assert spoken(signals, now=NOW + 2 * DAY) == [(1, 0.0)]


def test_silence_waits_for_a_partition_of_feedback_that_lags(
    intake: IntakeLedger, signals: SignalLedger
) -> None:
    intake.record(a_batch([a_conversation(0), a_conversation(1)]))
    read_on(intake, 2, days=2)
    for hours, expected in ((12, []), (24, [(1, 0.0), (2, 1.0)])):
        given = replace(
            a_feedback(hours, "c1", at=NOW + timedelta(hours=hours)),
            at=Coordinates(topic="feedback", partition=0, offset=hours),
        )
        batch = a_batch(feedback=[given], at=NOW + 2 * DAY)
        intake.record(replace(batch, next_offsets={("feedback", 0): hours + 1}))

        assert spoken(signals, now=NOW + 2 * DAY) == expected


def test_an_idle_partition_holds_nobody_up(intake: IntakeLedger, signals: SignalLedger) -> None:
    intake.record(a_batch([a_conversation(0)]))
    read_from(intake, 1, partition=1, days=0.5, received_days=1)
    read_on(intake, 2, days=2)

    assert spoken(signals, now=NOW + 2 * DAY - timedelta(seconds=1)) == []
    assert spoken(signals, now=NOW + 2 * DAY) == [(1, 0.0), (2, 0.0)]


def test_a_partition_of_records_that_are_not_kept_holds_nobody_up(
    intake: IntakeLedger, signals: SignalLedger
) -> None:
    """Nothing tells their times but when they were received."""
    intake.record(a_batch([a_conversation(0)]))
    unusable = replace(a_dead_letter(0), at=Coordinates(topic=TOPIC, partition=1, offset=0))
    batch = a_batch(dead_letters=[unusable], at=NOW + DAY)
    intake.record(replace(batch, next_offsets={(TOPIC, 1): 1}))
    read_on(intake, 2, days=1)

    assert spoken(signals, now=NOW + DAY) == [(1, 0.0)]


def test_a_conversation_of_the_future_holds_nobody_up(intake: IntakeLedger, signals: SignalLedger) -> None:
    intake.record(a_batch([a_conversation(0, at=NOW + 9_000 * DAY), a_conversation(1)]))
    read_on(intake, 2, days=1)

    assert spoken(signals, now=NOW + DAY) == [(1, 0.0), (2, 0.0)]


def test_nobody_is_told_of_who_came_after_one_that_is_too_young(
    intake: IntakeLedger, signals: SignalLedger
) -> None:
    """A replica's clock was ahead. What comes after waits, as one that is passed over would never be told of."""
    intake.record(a_batch([a_conversation(0)], at=NOW))
    intake.record(a_batch([a_conversation(1)], at=NOW + DAY))
    intake.record(a_batch([a_conversation(2, at=NOW + DAY)], at=NOW))

    assert spoken(signals, now=NOW + DAY) == [(1, 0.0)]


def test_losses_are_numbered_once_a_version_and_conversation(
    intake: IntakeLedger, signals: SignalLedger, engine: Engine
) -> None:
    intake.record(a_batch(some_conversations(0, 4)))
    signals.add_losses("chat-v0", {3: (2.0, 4), 2: (8.0, 4)})
    signals.add_losses("chat-v0", {2: (9.0, 9), 1: (0.0, 0), 77: (1.0, 1)})
    signals.add_losses("chat-v1", {1: (4.0, 4)})

    found = signals.losses("chat-v0", after=0, limit=9)
    assert [(one.seq, one.value) for one in found] == [(3, 0.5), (2, 2.0), (1, None)]
    assert signals.losses("chat-v0", after=found[1].number, limit=9) == found[2:]
    assert [(one.seq, one.value) for one in signals.losses("chat-v1", after=0, limit=9)] == [(1, 1.0)]
    assert (signals.last_drawn("chat-v0"), signals.last_drawn("chat-v7")) == (3, 0)
    assert signals.drawn("chat-v0", SeqRange(first=2, last=9)) == {2, 3}


def test_what_a_run_may_have_learned_is_not_drawn_from(
    intake: IntakeLedger, signals: SignalLedger, engine: Engine
) -> None:
    intake.record(a_batch(some_conversations(0, 6, held_out_every=3)))
    everything = SeqRange(first=1, last=6)
    assert [one.seq for one in signals.never_trained_on(everything)] == [1, 2, 3, 4, 5, 6]

    decision = DecisionLedger(engine).decide(
        Decision(at=NOW, trigger=None, action=Action.TRAIN, reason="", since_seq=1)
    )
    RunLedger(engine).start(
        Run(
            id="r1", decision_id=decision.id or 0, state=RunState.RUNNING, request={}, started_at=NOW, since_seq=1,
            until_seq=5,
        )
    )  # fmt: skip

    assert [one.seq for one in signals.never_trained_on(everything)] == [1, 4, 6]
    assert [one.hash for one in signals.after(1, 1)] == ["hash of c1"]


def test_the_forgotten_are_heard_of_no_more_and_numbers_are_never_used_again(
    intake: IntakeLedger, signals: SignalLedger, engine: Engine
) -> None:
    loud = Feedback(thumb="down")
    intake.record(
        a_batch([a_conversation(0, user="u0", feedback=loud), a_conversation(1, user="u1", feedback=loud)])
    )
    signals.add_losses("chat-v0", {1: (1.0, 2), 2: (1.0, 2)})
    last, drawn = signals.opinions(after=0, limit=9)[-1], signals.losses("chat-v0", after=0, limit=9)[-1]

    ErasureLedger(engine).erase(Subject(kind="user", id="u1", hash="u1"), by="ada", why="asked", now=NOW)

    assert [one.seq for one in signals.opinions(after=0, limit=9)] == [1]
    assert [one.seq for one in signals.losses("chat-v0", after=0, limit=9)] == [1]
    intake.record(a_batch([a_conversation(2, user="u2", feedback=loud)]))
    signals.add_losses("chat-v0", {3: (1.0, 2)})
    assert [one.seq for one in signals.opinions(after=last.number, limit=9)] == [3]
    assert [one.seq for one in signals.losses("chat-v0", after=drawn.number, limit=9)] == [3]
    read_on(intake, 3)
    assert spoken(signals) == [(1, 1.0), (3, 1.0)]


def test_both_go_with_their_conversation_and_losses_with_their_version(
    intake: IntakeLedger, signals: SignalLedger, engine: Engine
) -> None:
    intake.record(a_batch([rated(n, 5.0) for n in range(100)]))
    for version in ("chat-v0", "chat-v1"):
        signals.add_losses(version, {1: (1.0, 2), 100: (1.0, 2)})

    retention = ConversationRetention(engine, lambda: some_retention(conversations=30, sample=0))
    while retention.prune(NOW):
        pass
    went = HistoryRetention(engine, some_retention).prune(NOW, scored=["chat-v1"])

    assert count(engine, opinions.name) == 30
    assert went == {"scores": 1, "losses": 1}
    assert count(engine, losses.name) == 1
    assert signals.losses("chat-v1", after=0, limit=9) == [LateSignal(number=4, seq=100, value=0.5)]


def count(engine: Engine, table: str) -> int:
    kept = {"opinions": opinions, "losses": losses}[table]
    with reader(engine).begin() as connection:
        return connection.scalar(select(func.count()).select_from(kept)) or 0
