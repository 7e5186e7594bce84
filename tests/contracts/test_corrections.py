"""Corrections, rejected answers and what lessons they make, on both databases."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from daemon.domain.conversation import Feedback, Message
from daemon.domain.lessons import LessonKind, lessons_of
from daemon.domain.records import StoredConversation
from daemon.domain.runs import Run, RunState, TrainingRecord
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.database import open_ledger
from daemon.ledger.erasures import ErasureLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.runs import RunLedger
from daemon.ledger.subject_rows import Subject
from daemon.ledger.tables import conversations, feedback
from daemon.retention.conversations import ConversationRetention
from tests.factories.ledger import NOW, a_batch, a_conversation, a_tombstone, some_conversations
from tests.factories.lessons import RULES, answered, opinion
from tests.factories.retention import some_retention

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def intake(engine: Engine) -> IntakeLedger:
    return IntakeLedger(engine, window_size=10_000)


@pytest.fixture
def ledger(engine: Engine) -> ConversationLedger:
    return ConversationLedger(engine)


def row(ledger: ConversationLedger, seq: int = 1) -> StoredConversation:
    [found] = ledger.between(SeqRange(first=seq, last=seq))
    return found


def test_a_correction_inside_a_record_is_read_back(intake: IntakeLedger, ledger: ConversationLedger) -> None:
    intake.record(a_batch([answered(0, "base", feedback=Feedback(correction="rather so"))]))

    found = row(ledger)

    assert (found.correction, found.corrected_by, found.feedback) == ("rather so", None, -1.0)
    [lesson] = lessons_of(found.judged, RULES)
    assert (lesson.kind, lesson.imitate) == (
        LessonKind.CORRECTION, Message(role="assistant", content="rather so"),
    )  # fmt: skip


def test_a_rejected_answer_is_read_back(intake: IntakeLedger, ledger: ConversationLedger) -> None:
    intake.record(a_batch([answered(0, rejected="no idea"), answered(1)]))

    assert row(ledger).rejected == Message(role="assistant", content="no idea")
    assert row(ledger, 2).rejected is None
    assert [lessons_of(row(ledger, seq).judged, RULES)[0].kind for seq in (1, 2)] == [
        LessonKind.PREFERENCE, LessonKind.DEMONSTRATION,
    ]  # fmt: skip


@pytest.mark.parametrize("early", [True, False])
def test_a_correction_counts_whether_it_comes_before_its_conversation_or_after(
    intake: IntakeLedger, ledger: ConversationLedger, early: bool
) -> None:
    said, given = a_batch([answered(1, "base")]), a_batch(feedback=[opinion(2, "c1", correction="rather so")])
    if early:
        given = a_batch(feedback=[opinion(0, "c1", correction="rather so")])
    for batch in (given, said) if early else (said, given):
        intake.record(batch)

    assert (row(ledger).correction, row(ledger).corrected_by is not None) == ("rather so", True)
    assert ledger.lesson_counts(RULES, held_out=False) == {LessonKind.CORRECTION: 1}


def test_the_newest_correction_counts_in_whatever_order_they_arrive(
    intake: IntakeLedger, ledger: ConversationLedger
) -> None:
    intake.record(a_batch([answered(0, "base", feedback=Feedback(correction="first"))]))
    intake.record(a_batch(feedback=[opinion(1, "c0", correction="third", after=2 * HOUR)]))
    intake.record(a_batch(feedback=[opinion(2, "c0", correction="second", after=HOUR)]))

    found = row(ledger)

    assert (found.correction, found.record_correction) == ("third", "first")


def test_a_thumb_after_a_correction_leaves_it(intake: IntakeLedger, ledger: ConversationLedger) -> None:
    late = [
        opinion(1, "c0", correction="rather so", after=HOUR),
        opinion(2, "c0", thumb="up", after=2 * HOUR),
    ]
    intake.record(a_batch([answered(0, "base")], feedback=late))

    found = row(ledger)

    assert (found.correction, found.feedback) == ("rather so", 1.0)
    assert ledger.lesson_counts(RULES, held_out=False) == {LessonKind.CORRECTION: 1}


def test_the_newest_thumb_decides_what_is_liked(intake: IntakeLedger, ledger: ConversationLedger) -> None:
    intake.record(a_batch([answered(0, "base")], feedback=[opinion(1, "c0", thumb="up")]))
    assert ledger.lesson_counts(RULES, held_out=False) == {LessonKind.LIKED: 1}

    intake.record(a_batch(feedback=[opinion(2, "c0", thumb="down", after=2 * HOUR)]))

    assert ledger.lesson_counts(RULES, held_out=False) == {LessonKind.DISLIKED: 1}


def test_a_correction_stays_readable_after_a_newer_one(
    intake: IntakeLedger, ledger: ConversationLedger
) -> None:
    intake.record(a_batch([answered(0, "base")], feedback=[opinion(1, "c0", correction="first")]))
    first = row(ledger).corrected_by
    assert first is not None
    intake.record(a_batch(feedback=[opinion(2, "c0", correction="second", after=2 * HOUR)]))
    second = row(ledger).corrected_by

    found = ledger.corrections([first, second or "", "0" * 64])

    assert {digest: one.text for digest, one in found.items()} == {first: "first", second: "second"}
    assert found[first].at.offset == 1


def test_a_page_is_read_with_one_statement(
    intake: IntakeLedger, ledger: ConversationLedger, engine: Engine
) -> None:
    late = [opinion(50 + n, f"c{n}", correction=f"rather {n}") for n in range(20)]
    intake.record(a_batch([answered(n, "base") for n in range(40)], feedback=late))
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))

    found = ledger.newest(30, held_out=False)

    assert sum(one.correction is not None for one in found) == 10
    assert len([one for one in statements if one.startswith("SELECT")]) == 1


def test_lessons_are_counted_by_what_they_teach(intake: IntakeLedger, ledger: ConversationLedger) -> None:
    up, down = Feedback(thumb="up"), Feedback(thumb="down")
    intake.record(
        a_batch([
            answered(0), answered(1, "gpt"), answered(2, "support-bot-v3"), answered(3, "base", feedback=up),
            answered(4, "support-bot", feedback=down), answered(5, "gpt", feedback=down),
            answered(6, rejected="no"), answered(7, rejected="no", feedback=down),
            answered(8, "base", feedback=Feedback(rating=3)), answered(9, "base", feedback=Feedback(correction="so")),
            answered(10, "base", held_out=True, feedback=up),
        ])
    )  # fmt: skip

    assert ledger.lesson_counts(RULES, held_out=False) == {
        LessonKind.DEMONSTRATION: 2, LessonKind.UNJUDGED: 2, LessonKind.LIKED: 1, LessonKind.DISLIKED: 3,
        LessonKind.PREFERENCE: 1, LessonKind.CORRECTION: 1,
    }  # fmt: skip
    assert ledger.lesson_counts(RULES, held_out=True) == {LessonKind.LIKED: 1}
    assert ledger.lesson_counts(RULES, held_out=False, since=4, before=6) == {
        LessonKind.LIKED: 1, LessonKind.DISLIKED: 1,
    }  # fmt: skip


def test_the_counts_are_those_of_the_conversations_themselves(
    intake: IntakeLedger, ledger: ConversationLedger
) -> None:
    given = [
        None,
        Feedback(thumb="up"),
        Feedback(rating=1.5),
        Feedback(rating=2.5),
        Feedback(correction="so"),
    ]
    versions = [None, "base", "support-bot-v2", "gpt"]
    said = [
        answered(n, versions[n % 4], feedback=given[n % 5], rejected="no" if n % 3 else None)
        for n in range(60)
    ]
    intake.record(a_batch(said))
    stored = ledger.between(SeqRange(first=1, last=60))

    counted = ledger.lesson_counts(RULES, held_out=False)

    assert counted == Counter(lesson.kind for one in stored for lesson in lessons_of(one.judged, RULES))


def test_counting_reads_indexes_alone(tmp_path: Path) -> None:
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    steps: list[str] = []

    def explain(cursor: Any, statement: str, parameters: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")) and "conversations" in statement:
            found = cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            steps.extend(row[-1] for row in found if "conversations" in row[-1])

    event.listen(engine, "before_cursor_execute", lambda *call: explain(*call[1:4]))

    ConversationLedger(engine).lesson_counts(RULES, held_out=False, since=5, before=9)

    engine.dispose()
    assert steps
    assert all("USING COVERING INDEX conversations_" in step for step in steps)
    assert any("conversations_judged" in step for step in steps)


def run_that_learned(engine: Engine, found: StoredConversation) -> RunLedger:
    runs = RunLedger(engine)
    record = TrainingRecord(
        at=found.coordinates, sha256=found.record_sha256, origin="new", group=found.group,
        conversation_hash=found.conversation_hash,
        lesson={"kind": "correction", "index": 1, "correction": found.corrected_by},
    )  # fmt: skip
    run = Run(
        id="r1", decision_id=1, state=RunState.RUNNING, request={}, started_at=NOW, since_seq=1, until_seq=1
    )
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO decisions (id, at, action, reason, since_seq) VALUES (1, 0, 'train', '', 1)"
        )
    runs.start(run, [record])
    return runs


def test_what_a_run_took_from_a_record_is_read_back(
    intake: IntakeLedger, ledger: ConversationLedger, engine: Engine
) -> None:
    intake.record(a_batch([answered(0, "base")], feedback=[opinion(1, "c0", correction="so")]))
    found = row(ledger)

    [record] = run_that_learned(engine, found).training_records("r1")

    assert record.lesson == {"kind": "correction", "index": 1, "correction": found.corrected_by}


def test_the_corrections_of_a_forgotten_user_go_from_the_conversations_of_others(
    intake: IntakeLedger, ledger: ConversationLedger, engine: Engine
) -> None:
    late = [
        opinion(1, "c0", correction="by anna", user="anna"),
        opinion(2, "c0", correction="by bert", user="bert", after=2 * HOUR),
    ]
    intake.record(a_batch([answered(0, "base", user="carl")], feedback=late))
    runs = run_that_learned(engine, row(ledger))

    removed = forget(engine, "bert")

    assert row(ledger).correction == "by anna"
    assert (removed["feedback"], removed["training_records"]) == (1, 1)
    assert [record.erased for record in runs.training_records("r1")] == [True]

    forget(engine, "anna")

    assert (row(ledger).correction, row(ledger).corrected_by) == (None, None)
    assert ledger.lesson_counts(RULES, held_out=False) == {LessonKind.DISLIKED: 1}


def forget(engine: Engine, user: str) -> dict[str, object]:
    """Forget a user, and return what the log says was removed."""
    log = ErasureLedger(engine)
    log.erase(Subject(kind="user", id=user, hash=user), by="op", why="asked", now=NOW)
    return dict(log.log()[-1].removed)


def test_a_run_that_took_another_correction_of_it_stays_whole(
    intake: IntakeLedger, ledger: ConversationLedger, engine: Engine
) -> None:
    intake.record(
        a_batch([answered(0, "base")], feedback=[opinion(1, "c0", correction="by anna", user="anna")])
    )
    runs = run_that_learned(engine, row(ledger))
    intake.record(a_batch(feedback=[opinion(2, "c0", correction="by bert", user="bert", after=2 * HOUR)]))

    forget(engine, "bert")

    assert [record.erased for record in runs.training_records("r1")] == [False]
    assert row(ledger).correction == "by anna"


def test_the_records_own_correction_counts_again_once_a_later_one_is_forgotten(
    intake: IntakeLedger, ledger: ConversationLedger, engine: Engine
) -> None:
    said = answered(0, "base", user="carl", feedback=Feedback(correction="own"), rejected="no")
    intake.record(a_batch([said], feedback=[opinion(1, "c0", correction="late", user="anna")]))

    forget(engine, "anna")

    assert (row(ledger).correction, row(ledger).corrected_by) == ("own", None)
    assert ledger.lesson_counts(RULES, held_out=False) == {LessonKind.CORRECTION: 1}


def test_a_tombstone_takes_the_corrections_of_its_conversation(
    intake: IntakeLedger, ledger: ConversationLedger, engine: Engine
) -> None:
    late = [opinion(5, "c0", correction="so"), opinion(6, "c1", correction="so")]
    intake.record(a_batch([answered(0, "base"), answered(1, "base")], feedback=late))

    intake.record(a_batch(tombstones=[a_tombstone(7, "c0")]))
    intake.record(a_batch(feedback=[opinion(8, "c0", correction="again")]))

    with engine.connect() as connection:
        assert connection.scalars(select(feedback.c.conversation_id)).all() == ["c1"]
    assert [one.conversation_id for one in ledger.between(SeqRange(first=1, last=9))] == ["c1"]


def test_retention_takes_corrections_with_their_conversations(
    intake: IntakeLedger, ledger: ConversationLedger, engine: Engine
) -> None:
    intake.record(a_batch([answered(0, "base")], feedback=[opinion(1, "c0", correction="so")]))
    digest = row(ledger).corrected_by
    intake.record(a_batch(some_conversations(2, 5), at=NOW + 3 * DAY))

    ConversationRetention(engine, lambda: some_retention(max_age_days=1)).prune(NOW + 2 * DAY)

    assert ledger.corrections([digest or ""]) == {}
    assert ledger.between(SeqRange(first=1, last=1)) == []


def test_a_row_of_an_earlier_release_counts_as_one_answer(
    intake: IntakeLedger, ledger: ConversationLedger, engine: Engine
) -> None:
    intake.record(a_batch([a_conversation(0)]))
    with engine.begin() as connection:
        connection.execute(conversations.update().values(answers=None, other_answer=None))

    assert (row(ledger).correction, row(ledger).rejected) == (None, None)
    assert ledger.lesson_counts(RULES, held_out=False) == {LessonKind.DEMONSTRATION: 1}
