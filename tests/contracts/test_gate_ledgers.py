"""What the gate stores: scores of held-out lessons, and the answers of both versions."""

import pytest
from sqlalchemy import Engine

from daemon.domain.answer_pairs import AnswerPair
from daemon.ledger.erasures import ErasureLedger
from daemon.ledger.gate_answers import GateAnswerLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.lesson_scores import LessonPart, LessonScoreLedger, ScoredPart
from daemon.ledger.subject_rows import Subject
from daemon.retention.history import HistoryRetention
from tests.factories.ledger import NOW, a_batch, some_conversations
from tests.factories.lessons import opinion
from tests.factories.retention import some_retention

LESSON, BETTER, WORSE = LessonPart.LESSON, LessonPart.BETTER, LessonPart.WORSE


@pytest.fixture(autouse=True)
def ten_conversations(engine: Engine) -> None:
    IntakeLedger(engine, window_size=20).record(a_batch(some_conversations(0, 10)))


@pytest.fixture
def scores(engine: Engine) -> LessonScoreLedger:
    return LessonScoreLedger(engine)


@pytest.fixture
def answers(engine: Engine) -> GateAnswerLedger:
    return GateAnswerLedger(engine)


def a_part(seq: int, part: LessonPart = LESSON, digest: str = "a") -> ScoredPart:
    return ScoredPart(seq=seq, part=part, digest=digest * 64)


def a_pair(number: int, **facts: object) -> AnswerPair:
    values = {"good": "Yes.", "live": "No.", "candidate": "Yes.", **facts}
    return AnswerPair(question=f"question {number}", **values)  # type: ignore[arg-type]


def erase(engine: Engine, number: int) -> None:
    subject = Subject(kind="conversation", id=f"c{number}", hash=f"hash of c{number}")
    ErasureLedger(engine).erase(subject, by="ada", why="asked", now=NOW)


def test_scores_are_found_by_version_and_text(scores: LessonScoreLedger) -> None:
    scores.add("chat-v0", {a_part(1): (2.5, 4), a_part(1, WORSE): (3.0, 4), a_part(2): (1.0, 2)})

    assert scores.of("chat-v0", [a_part(1), a_part(1, WORSE), a_part(3)]) == {
        a_part(1): (2.5, 4),
        a_part(1, WORSE): (3.0, 4),
    }
    assert scores.of("chat-v1", [a_part(1)]) == {}


def test_a_score_of_what_was_corrected_since_is_not_used(scores: LessonScoreLedger) -> None:
    scores.add("chat-v0", {a_part(1): (2.5, 4), a_part(1, BETTER): (1.0, 2)})

    assert scores.of("chat-v0", [a_part(1, digest="b")]) == {}

    scores.add("chat-v0", {a_part(1, digest="b"): (2.0, 4)})
    assert scores.of("chat-v0", [a_part(1, digest="b"), a_part(1, BETTER)]) == {
        a_part(1, digest="b"): (2.0, 4),
        a_part(1, BETTER): (1.0, 2),
    }
    assert scores.of("chat-v0", [a_part(1)]) == {}


def test_scores_and_answers_go_with_their_conversation(
    engine: Engine, scores: LessonScoreLedger, answers: GateAnswerLedger
) -> None:
    scores.add("chat-v0", {a_part(1): (2.5, 4), a_part(2): (2.5, 4)})
    answers.add("chat-v1", 1, [(1, a_pair(1)), (2, a_pair(2))])

    erase(engine, 0)

    assert scores.of("chat-v0", [a_part(1), a_part(2)]) == {a_part(2): (2.5, 4)}
    assert answers.of("chat-v1") == [a_pair(2)]


def test_answers_beside_the_correction_of_a_forgotten_user_go(
    engine: Engine, answers: GateAnswerLedger
) -> None:
    corrections = [opinion(20, "c0", correction="by anna", user="anna")]
    IntakeLedger(engine, window_size=20).record(a_batch(feedback=corrections))
    answers.add("chat-v1", 1, [(1, a_pair(1, good="by anna")), (2, a_pair(2))])

    subject = Subject(kind="user", id="anna", hash="anna")
    ErasureLedger(engine).erase(subject, by="ada", why="asked", now=NOW)

    assert answers.of("chat-v1") == [a_pair(2)]


def test_nothing_is_stored_of_a_conversation_that_was_erased_meanwhile(
    engine: Engine, scores: LessonScoreLedger, answers: GateAnswerLedger
) -> None:
    erase(engine, 0)

    scores.add("chat-v0", {a_part(1): (2.5, 4)})
    answers.add("chat-v1", 1, [(1, a_pair(1))])

    assert scores.of("chat-v0", [a_part(1)]) == {}
    assert answers.of("chat-v1") == []


def test_pairs_are_those_of_the_newest_look_in_their_order(answers: GateAnswerLedger) -> None:
    second = [
        a_pair(3, good=None),
        a_pair(2, live_failed=("ends by itself",), live_f1=0.0, candidate_f1=1.0),
    ]
    answers.add("chat-v1", 1, [(1, a_pair(1))])
    answers.add("chat-v1", 2, [(4, a_pair(9))])
    answers.add("chat-v1", 2, [(3, second[0]), (2, second[1])])  # again, after a crash

    assert answers.of("chat-v1") == second
    assert answers.of("chat-v1", look=1) == [a_pair(1)]
    assert answers.of("chat-v2") == []


def test_what_was_computed_with_versions_that_no_gate_compares_goes(
    engine: Engine, scores: LessonScoreLedger, answers: GateAnswerLedger
) -> None:
    for version in ("chat-v0", "chat-v1"):
        scores.add(version, {a_part(1): (2.5, 4), a_part(1, WORSE): (2.5, 4)})
        answers.add(version, 1, [(1, a_pair(1))])

    deleted = HistoryRetention(engine, some_retention).prune(NOW, scored=["chat-v1"])

    assert deleted == {"lesson_scores": 2, "gate_answers": 1}
    assert len(answers.of("chat-v1")) == 1
