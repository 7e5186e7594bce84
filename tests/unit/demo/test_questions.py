"""Questions are drawn from what no version trains on."""

import pytest

from daemon.demo.questions import choose_questions
from daemon.domain.conversation import Conversation, Message, Role
from daemon.domain.holdout import Holdout
from tests.factories.demo import NOON, a_conversation

pytestmark = pytest.mark.unit
HOLDOUT = Holdout(b"a key of sixteen bytes", share=0.2)
TALKS = [a_conversation(f"c{number}") for number in range(200)]


def test_only_held_out_conversations_are_asked() -> None:
    chosen = choose_questions(TALKS, HOLDOUT, seed=0, count=20)

    assert len(chosen) == 20
    assert all(HOLDOUT.holds_out(HOLDOUT.group(None, question.conversation_id)) for question in chosen)


def test_the_seed_alone_chooses() -> None:
    first, same, other = (choose_questions(TALKS, HOLDOUT, seed=seed, count=3) for seed in (0, 0, 1))

    assert first == same != other


def test_a_question_is_a_conversation_up_to_its_last_answer() -> None:
    turns: list[tuple[Role, str]] = [
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "你好吗？"),
        ("assistant", "很好"),
        ("user", "Bye"),
    ]
    messages = tuple(Message(role=role, content=text) for role, text in turns)
    conversations = [
        Conversation(conversation_id=f"c{number}", at=NOON, messages=messages) for number in range(50)
    ]

    question = choose_questions(conversations, HOLDOUT, seed=0, count=1)[0]

    assert (question.text, question.reference) == ("你好吗？", "很好")
    assert question.prompt == messages[:3]


def test_what_nobody_answered_is_no_question() -> None:
    messages = (Message(role="assistant", content="Hello"), Message(role="user", content="Hi"))
    conversations = [
        Conversation(conversation_id=f"c{number}", at=NOON, messages=messages) for number in range(50)
    ]

    assert choose_questions(conversations, HOLDOUT, seed=0, count=3) == ()
