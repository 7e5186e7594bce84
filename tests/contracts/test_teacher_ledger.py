"""What a teacher was asked, on both databases."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from daemon.domain.conversation import Feedback, Message
from daemon.domain.lessons import LessonKind, LessonRules, lessons_of
from daemon.domain.records import Coordinates, NewFeedback
from daemon.domain.teaching import (
    Asked,
    Reply,
    TeacherCall,
    TeacherOutcome,
    TeacherPurpose,
    TeacherSpending,
)
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.erasures import ErasureLedger
from daemon.ledger.held_out_seqs import HeldOutSeqs
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.subject_rows import Subject
from daemon.ledger.teacher import NoSuchAnswer, TeacherLedger
from daemon.retention.conversations import ConversationRetention
from daemon.retention.history import HistoryRetention
from tests.factories.ledger import NOW, TOPIC, a_batch, a_conversation
from tests.factories.retention import some_retention

DAY = timedelta(days=1)
GOOD = Reply(outcome=TeacherOutcome.ANSWERED, text="fine", input_tokens=20, output_tokens=10)
FAILED = Reply(outcome=TeacherOutcome.SERVER_ERROR, reason="the endpoint answers 500")
CALL = TeacherCall(purpose=TeacherPurpose.ANSWER, model="large", digest="d1", seq=1)


@pytest.fixture
def ledger(engine: Engine) -> TeacherLedger:
    IntakeLedger(engine, window_size=20).record(a_batch([a_conversation(n) for n in range(40)]))
    return TeacherLedger(engine)


def call(
    ledger: TeacherLedger,
    reply: Reply = GOOD,
    *,
    digest: str = "d1",
    seq: int | None = 1,
    model: str = "large",
) -> int:
    made = replace(CALL, digest=digest, seq=seq, model=model)
    number = ledger.begin(made, most=0.5, now=NOW)
    ledger.finish(number, reply, answer=reply.text or None, cost=0.25)
    return number


def today(ledger: TeacherLedger) -> TeacherSpending:
    return ledger.spent(NOW - timedelta(hours=1), NOW + timedelta(hours=1))


def answers(ledger: TeacherLedger) -> Sequence[str | None]:
    return [record.answer for record in ledger.newest(10)]


def test_an_answer_is_kept_with_what_it_took(ledger: TeacherLedger) -> None:
    call(ledger)

    (record,) = ledger.newest(10)
    assert (record.outcome, record.answer, record.model, record.seq) == (
        TeacherOutcome.ANSWERED, "fine", "large", 1,
    )  # fmt: skip
    assert (record.input_tokens, record.output_tokens, record.cost) == (20, 10, 0.25)
    assert ledger.answer("d1") == "fine"
    assert today(ledger) == TeacherSpending(calls=1, money=0.25)


def test_a_call_that_never_ended_counts_with_the_most_that_it_can_cost(ledger: TeacherLedger) -> None:
    ledger.begin(CALL, most=0.5, now=NOW)

    assert today(ledger) == TeacherSpending(calls=1, money=0.5)
    assert ledger.asked(["d1"], model="large") == {"d1": Asked(failed=1)}


def test_what_was_not_sent_is_no_call(ledger: TeacherLedger) -> None:
    number = ledger.begin(CALL, most=0.5, now=NOW)
    ledger.finish(number, Reply(outcome=TeacherOutcome.UNREACHABLE, reason="no"), answer=None, cost=0.0)

    assert today(ledger) == TeacherSpending(calls=0, money=0.0)


def test_calls_of_other_days_do_not_count(ledger: TeacherLedger) -> None:
    call(ledger)

    assert ledger.spent(NOW - DAY, NOW) == TeacherSpending()
    assert ledger.spent(NOW + timedelta(seconds=1), NOW + DAY) == TeacherSpending()


def test_a_question_that_was_asked_is_known_by_how_it_ended(ledger: TeacherLedger) -> None:
    call(ledger, digest="answered")
    call(ledger, FAILED, digest="failed")
    call(ledger, FAILED, digest="failed")
    call(ledger, Reply(outcome=TeacherOutcome.EMPTY, reason="empty"), digest="empty")
    call(ledger, Reply(outcome=TeacherOutcome.RATE_LIMITED, reason="wait"), digest="waits")

    digests = ["answered", "failed", "empty", "waits", "new"]
    assert ledger.asked(digests, model="large") == {
        "answered": Asked(answered=True),
        "failed": Asked(failed=2),
        "empty": Asked(refused=True),
        "waits": Asked(),
    }
    assert ledger.asked(digests, model="larger") == {"answered": Asked(answered=True)}


def test_failures_since_the_last_answer_are_told(ledger: TeacherLedger) -> None:
    assert ledger.failing() == (0, None, None)
    call(ledger, FAILED)
    call(ledger)
    assert ledger.failing() == (0, None, None)
    call(ledger, FAILED)
    call(ledger, replace(FAILED, reason="last"))
    ledger.begin(CALL, most=0.5, now=NOW)

    count, first, last = ledger.failing()

    assert count == 2
    assert first is not None
    assert last is not None
    assert (first.reason, last.reason) == (FAILED.reason, "last")


def test_outcomes_are_counted(ledger: TeacherLedger) -> None:
    call(ledger)
    call(ledger, FAILED)

    assert ledger.outcomes() == {
        (TeacherPurpose.ANSWER, TeacherOutcome.ANSWERED): 1,
        (TeacherPurpose.ANSWER, TeacherOutcome.SERVER_ERROR): 1,
    }


def erase(engine: Engine, number: int) -> None:
    subject = Subject(kind="conversation", id=f"c{number}", hash=f"hash of c{number}")
    ErasureLedger(engine).erase(subject, by="ada", why="asked", now=NOW)


def test_an_erasure_takes_the_answer_and_leaves_what_it_took(ledger: TeacherLedger, engine: Engine) -> None:
    call(ledger, seq=1, digest="d1")
    call(ledger, seq=2, digest="d2")

    erase(engine, 0)

    assert answers(ledger) == ["fine", None]
    assert ledger.newest(10)[-1].seq is None
    assert ledger.asked(["d1"], model="large") == {}
    assert today(ledger) == TeacherSpending(calls=2, money=0.5)


def test_an_answer_to_what_was_erased_meanwhile_is_not_stored(ledger: TeacherLedger, engine: Engine) -> None:
    before = ledger.begin(CALL, most=0.5, now=NOW)
    erase(engine, 0)
    after = ledger.begin(CALL, most=0.5, now=NOW)
    for number in (before, after):
        ledger.finish(number, GOOD, answer="fine", cost=0.25)

    assert answers(ledger) == [None, None]
    assert today(ledger).money == 0.5


def test_retention_takes_answers_with_their_conversations(ledger: TeacherLedger, engine: Engine) -> None:
    call(ledger, seq=1, digest="d1")
    call(ledger, seq=40, digest="d40")

    ConversationRetention(engine, lambda: some_retention(conversations=5, sample=0)).prune(NOW)

    assert answers(ledger) == ["fine", None]
    assert ledger.asked(["d1"], model="large") == {"d1": Asked(answered=True)}  # and is not paid again


def test_old_calls_go_once_no_budget_counts_them(ledger: TeacherLedger, engine: Engine) -> None:
    for _ in range(4):
        call(ledger, seq=None)
    call(ledger, seq=3)
    retention = HistoryRetention(engine, lambda: some_retention(conversations=30, sample=0, history=2))

    assert "teacher_answers" not in retention.prune(NOW + DAY, scored=())
    assert retention.prune(NOW + 8 * DAY, scored=())["teacher_answers"] == 3


def test_a_taught_answer_makes_a_lesson_of_its_conversation(ledger: TeacherLedger, engine: Engine) -> None:
    rules = LessonRules(model_line="chat", own_names=frozenset(), unnamed_is_own=True)
    conversations = ConversationLedger(engine)
    call(ledger, seq=1)
    call(ledger, Reply(outcome=TeacherOutcome.EMPTY, reason="empty"), seq=2, digest="d2")

    first, second = conversations.by_seq([1, 2])
    (lesson,) = lessons_of(first.judged, rules)

    assert second.taught is None
    assert (lesson.kind, lesson.imitate) == (LessonKind.TEACHER, Message(role="assistant", content="fine"))
    assert conversations.lesson_counts(rules, held_out=False) == {
        LessonKind.TEACHER: 1, LessonKind.UNJUDGED: 39,
    }  # fmt: skip


def test_a_correction_that_comes_later_is_better_than_a_taught_answer(
    ledger: TeacherLedger, engine: Engine
) -> None:
    rules = LessonRules(model_line="chat", own_names=frozenset(), unnamed_is_own=True)
    call(ledger, seq=1)
    corrected = NewFeedback(
        conversation_id="c0", at=Coordinates(topic=TOPIC, partition=0, offset=99), when=NOW,
        feedback=Feedback(correction="better"), conversation_hash="hash of c0",
    )  # fmt: skip
    IntakeLedger(engine, window_size=20).record(a_batch(feedback=[corrected]))

    counts = ConversationLedger(engine).lesson_counts(rules, held_out=False)

    assert counts == {LessonKind.CORRECTION: 1, LessonKind.UNJUDGED: 39}


def test_a_taught_answer_of_a_held_out_conversation_is_for_the_gate(engine: Engine) -> None:
    IntakeLedger(engine, window_size=20).record(
        a_batch([a_conversation(0, held_out=True), a_conversation(1, held_out=True)])
    )
    rules = LessonRules(model_line="chat", own_names=frozenset(), unnamed_is_own=True)
    call(TeacherLedger(engine), seq=2)

    assert HeldOutSeqs(engine, rules).newest(10, since=1) == [2]


def test_an_answer_that_an_operator_takes_out_is_no_lesson_and_not_asked_again(
    ledger: TeacherLedger, engine: Engine
) -> None:
    rules = LessonRules(model_line="chat", own_names=frozenset(), unnamed_is_own=True)
    number = call(ledger)

    ledger.discard(number, reason="invented")

    (stored,) = ConversationLedger(engine).by_seq([1])
    assert stored.taught is None
    assert ConversationLedger(engine).lesson_counts(rules, held_out=False) == {LessonKind.UNJUDGED: 40}
    assert ledger.asked(["d1"], model="large") == {"d1": Asked(refused=True)}
    assert ledger.failing() == (0, None, None)
    assert today(ledger).calls == 1
    with pytest.raises(NoSuchAnswer):
        ledger.discard(number, reason="again")
