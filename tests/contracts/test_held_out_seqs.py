import dataclasses

import pytest
from sqlalchemy import Engine

from daemon.domain.conversation import Feedback
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.held_out_seqs import HeldOutSeqs
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.lesson_scores import LessonPart, LessonScoreLedger, ScoredPart
from daemon.release.held_out_lessons import held_out_lesson
from tests.factories.ledger import a_batch, a_conversation
from tests.factories.lessons import RULES, answered, opinion

UP, DOWN = Feedback(thumb="up"), Feedback(thumb="down")
OWN = "support-bot-v3"


@pytest.fixture
def seqs(engine: Engine) -> HeldOutSeqs:
    """Held-out conversations of all kinds: those with an answer to imitate have the seqs 1, 3, 6 and 7."""
    kinds = [
        answered(0, held_out=True),  # nobody says who answered: a person
        answered(1, OWN, held_out=True),
        answered(2, OWN, feedback=UP, held_out=True),
        answered(3, OWN, feedback=DOWN, held_out=True),
        answered(4, feedback=DOWN, held_out=True),
        answered(5, OWN, held_out=True),  # corrected later
        answered(6, OWN, rejected="worse", held_out=True),
        answered(7),  # not held out
    ]
    IntakeLedger(engine, window_size=50).record(
        a_batch(kinds, feedback=[opinion(8, "c5", correction="better")])
    )
    return HeldOutSeqs(engine, RULES)


def test_only_conversations_with_an_answer_to_imitate_are_found(seqs: HeldOutSeqs) -> None:
    assert seqs.newest(10, since=1) == [1, 3, 6, 7]
    assert seqs.newest(2, since=1) == [6, 7]
    assert seqs.newest(10, since=4) == [6, 7]
    assert seqs.sample(10, before=7, seed=0) == [1, 3, 6]
    assert (seqs.count(), seqs.count(since=4), seqs.count(before=4)) == (4, 2, 2)


def test_a_sample_is_the_same_for_the_same_seed(seqs: HeldOutSeqs) -> None:
    first = seqs.sample(2, before=9, seed=3)

    assert len(first) == 2
    assert seqs.sample(2, before=9, seed=3) == first


def test_those_found_are_those_that_teach(seqs: HeldOutSeqs, engine: Engine) -> None:
    stored = ConversationLedger(engine).newest(10, held_out=True)

    teach = [one.seq for one in stored if held_out_lesson(one, RULES) is not None]

    assert seqs.newest(10, since=1) == teach


def test_what_has_no_answer_to_score_is_left_out(seqs: HeldOutSeqs, engine: Engine) -> None:
    parts = {part: ScoredPart(seq=6, part=part, digest="a" * 64) for part in LessonPart}
    LessonScoreLedger(engine).add("v0", {parts[LessonPart.WORSE]: (0.0, 0)})
    assert seqs.newest(10, since=1) == [1, 3, 6, 7]

    LessonScoreLedger(engine).add("v0", {parts[LessonPart.LESSON]: (0.0, 0)})
    assert seqs.newest(10, since=1) == [1, 3, 7]
    assert seqs.count() == 3


def test_words_of_an_earlier_trainable_conversation_are_left_out(seqs: HeldOutSeqs, engine: Engine) -> None:
    twins = [a_conversation(20, text="faq"), a_conversation(21, text="FAQ ", held_out=True)]
    IntakeLedger(engine, window_size=50).record(a_batch(twins))

    assert seqs.newest(10, since=9) == []


def test_a_person_named_in_the_answers_counts(engine: Engine) -> None:
    new = answered(0, OWN, held_out=True)
    said = [
        dataclasses.replace(one, name="agent-ada") if one.role == "assistant" else one
        for one in new.conversation.messages
    ]
    named = dataclasses.replace(new, conversation=dataclasses.replace(new.conversation, messages=tuple(said)))
    IntakeLedger(engine, window_size=50).record(a_batch([named]))

    assert HeldOutSeqs(engine, RULES).newest(10, since=1) == [1]
