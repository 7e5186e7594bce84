"""Which answers no training set may learn, on both databases."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from daemon.domain.conversation import Feedback, Message
from daemon.domain.records import NewConversation
from daemon.domain.turns import turns_of
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from tests.factories.ledger import a_batch, a_conversation
from tests.factories.lessons import RULES, answered, opinion

GOOD, BAD = Feedback(thumb="up"), Feedback(thumb="down")


@pytest.fixture
def intake(engine: Engine) -> IntakeLedger:
    return IntakeLedger(engine, window_size=10_000)


@pytest.fixture
def ledger(engine: Engine) -> ConversationLedger:
    return ConversationLedger(engine)


def chat(offset: int, *turns: str, given: Feedback | None) -> NewConversation:
    messages = tuple(
        Message(role="assistant" if place % 2 else "user", content=text) for place, text in enumerate(turns)
    )
    new = a_conversation(offset, user=f"u{offset}")
    conversation = replace(new.conversation, messages=messages, feedback=given)
    return replace(new, conversation=conversation, turns=turns_of(messages))


def exchanges(*turns: str) -> list[int | None]:
    return [turn.exchange for turn in chat(0, *turns, given=None).turns if turn.exchange is not None]


@pytest.mark.parametrize(("likes", "disliked"), [(0, True), (1, True), (2, False)])
def test_an_answer_is_refused_that_no_fewer_users_disliked_than_liked(
    intake: IntakeLedger, ledger: ConversationLedger, likes: int, disliked: bool
) -> None:
    rows = [chat(n, "Q", "A", given=GOOD) for n in range(likes)]
    intake.record(a_batch([*rows, chat(8, "Q", "A", given=BAD), chat(9, "Q", "B", given=GOOD)]))

    assert ledger.disliked_exchanges(RULES) == (frozenset(exchanges("Q", "A")) if disliked else frozenset())


def test_of_a_corrected_conversation_only_the_last_answer_is_refused(
    intake: IntakeLedger, ledger: ConversationLedger
) -> None:
    corrects = Feedback(correction="C")
    intake.record(a_batch([chat(0, "Q", "A", "R", "B", given=corrects)]))

    assert ledger.disliked_exchanges(RULES) == {exchanges("Q", "A", "R", "B")[1]}


def test_held_out_conversations_with_another_answer_are_found(
    intake: IntakeLedger, ledger: ConversationLedger
) -> None:
    rows = [answered(0, held_out=True), answered(1, held_out=True), answered(2), answered(3, held_out=True)]
    intake.record(
        a_batch(
            rows,
            feedback=[opinion(4, "c1", correction="rather so"), opinion(5, "c2", correction="rather so")],
        )
    )

    assert [one.conversation_id for one in ledger.held_out_with_other_answers()] == ["c1"]
