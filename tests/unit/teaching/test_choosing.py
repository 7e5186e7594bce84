"""Which prompts a teacher is asked to answer, and in which order."""

from dataclasses import replace
from typing import Any

import pytest

from daemon.domain.conversation import Message, ToolCall
from daemon.domain.lessons import LessonRules
from daemon.domain.records import Coordinates, PastMessage, StoredConversation
from daemon.domain.teaching import Asked
from daemon.domain.text_digest import text_digest
from daemon.teaching.choosing import Candidate, candidate_of, choose, untaught
from daemon.teaching.question import chat_messages
from tests.factories.ledger import NOW

RULES = LessonRules(model_line="chat", own_names=frozenset({"base"}))


def user(text: str) -> Message:
    return Message(role="user", content=text)


def stored(seq: int, *messages: Message, **fields: Any) -> StoredConversation:
    said = messages or (user(f"question {seq}"), Message(role="assistant", content="invented"))
    known: dict[str, Any] = {
        "seq": seq, "conversation_id": f"c{seq}", "coordinates": Coordinates(topic="t", partition=0, offset=seq),
        "at": NOW, "group": f"user {seq}", "held_out": False, "version": "chat-v1", "messages": said,
        "feedback": None, "text_digest": text_digest(said), "record_sha256": "", "conversation_hash": "",
    }  # fmt: skip
    return StoredConversation(**(known | fields))


def order(*conversations: StoredConversation, changed_from: int | None = None) -> list[int]:
    return [one.stored.seq for one in untaught(conversations, RULES, changed_from=changed_from)]


def test_a_prompt_needs_a_teacher_unless_its_answer_is_good() -> None:
    assert order(
        stored(1),
        stored(2, feedback=-1.0),
        stored(3, feedback=1.0),
        stored(4, version="agent of the support"),
        stored(5, user("hello?")),
        stored(6, user("q"), Message(role="assistant", content="not to be learned", learned=False)),
    ) == [2, 1]


def test_new_topics_come_first_then_disliked_answers_then_the_newest() -> None:
    found = order(
        stored(1), stored(2, feedback=-1.0), stored(3), stored(8), stored(9, feedback=-1.0), changed_from=8
    )  # fmt: skip

    assert found == [9, 8, 2, 3, 1]


def test_a_flood_of_one_user_waits_for_the_others() -> None:
    flood = [stored(seq, group="loud") for seq in range(10, 15)]

    assert order(stored(1), stored(2), *flood) == [14, 2, 1, 13, 12, 11, 10]


def test_a_prompt_is_all_that_came_before_the_last_answer() -> None:
    past = PastMessage(message=Message(role="system", content="Be kind."), seq=1, index=0)
    earlier = stored(
        2, user("a?"), Message(role="assistant", content="a."), user("b?"), Message(role="assistant", content="b."),
        history=(past,),
    )  # fmt: skip

    candidate = candidate_of(earlier)

    assert candidate is not None
    assert [message.content for message in candidate.prompt] == ["Be kind.", "a?", "a.", "b?"]


CALL = Message(role="assistant", content="", tool_calls=(ToolCall(name="f", arguments="{}"),))
ANSWER = Message(role="assistant", content="x")


@pytest.mark.parametrize(
    "conversation",
    [
        stored(1, tools=({"name": "f"},)),
        stored(1, documents=({"text": "d"},)),
        stored(1, user("q"), CALL, Message(role="tool", content="r"), ANSWER),
        stored(1, user("q"), Message(role="assistant", content="one"), ANSWER),
        stored(1, ANSWER),
        stored(1, history_gone=True),
        stored(1, user("long " * 20_000), ANSWER),
    ],
    ids=["tools", "documents", "calls", "no question", "no prompt", "history gone", "long"],
)
def test_what_is_no_plain_prompt_is_not_asked(conversation: StoredConversation) -> None:
    assert candidate_of(conversation) is None


def candidates(*texts: str) -> list[Candidate]:
    found = [candidate_of(stored(seq, user(text), ANSWER)) for seq, text in enumerate(texts, start=1)]
    return [one for one in found if one is not None]


def chosen(
    waiting: list[Candidate],
    *,
    asked: dict[str, Asked] | None = None,
    known: tuple[str, ...] = (),
    limit: int = 9,
) -> list[int]:
    found = choose(waiting, asked=asked or {}, known=[(user(text),) for text in known], limit=limit)
    return [one.seq for one in found]


def test_only_one_of_near_identical_prompts_is_asked() -> None:
    waiting = candidates(
        "What is the default of gate.margin?",
        "what is the default of `gate.margin` ??",
        "What is the default of gate.alpha?",
        "大门的默认余量是多少？",
        "大门的默认余量是多少",
    )

    assert chosen(waiting) == [1, 3, 4]


def test_what_asks_the_same_as_a_prompt_with_an_answer_is_not_asked() -> None:
    waiting = candidates("Where is my order?", "Where is my money?")

    assert chosen(waiting, known=("where is my ORDER",)) == [2]


@pytest.mark.parametrize("before", [Asked(answered=True), Asked(refused=True), Asked(failed=3)])
def test_nothing_is_asked_twice(before: Asked) -> None:
    waiting = candidates("Where is my order?", "How do I pay?")

    assert chosen(waiting, asked={waiting[0].digest: before}) == [2]


def test_what_failed_waits_for_what_did_not() -> None:
    waiting = candidates("Where is my order?", "How do I pay?")

    assert chosen(waiting, asked={waiting[0].digest: Asked(failed=1)}) == [2, 1]


def test_so_many_are_chosen_and_no_more() -> None:
    assert chosen(candidates("one thing", "another one", "the third of them"), limit=2) == [1, 2]


def test_the_operators_words_stand_before_the_conversations_own() -> None:
    own = (Message(role="system", content="Be kind."), user("Hi"))

    assert chat_messages(own, before="You know retuned.")[0] == {
        "role": "system", "content": "You know retuned.\n\nBe kind.",
    }  # fmt: skip
    assert [one["role"] for one in chat_messages(own[1:], before="You know.")] == ["system", "user"]
    assert chat_messages(own) == [
        {"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"},
    ]  # fmt: skip


def test_the_same_words_are_the_same_question() -> None:
    one, other = candidates("Where  is my order?"), candidates("where is my ORDER?")

    assert one[0].digest == other[0].digest
    assert replace(one[0], seq=2) != one[0]
