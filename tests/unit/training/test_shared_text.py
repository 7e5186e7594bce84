"""What many conversations share costs none of them; a true copy stays a copy."""

import random
from collections.abc import Sequence

import pytest

from daemon.domain.conversation import Message, ToolCall
from daemon.training.near_duplicates import clusters, signature
from daemon.training.shared_text import find_shared_text

Chat = tuple[Message, ...]
COUNT = 569
LABELS = [f"label{number}" for number in range(40)]


def words(chance: random.Random, count: int) -> str:
    """Words as frequent as those of a language (Zipf's law)."""
    ranks = range(1, 4_000)
    return " ".join(f"w{rank}" for rank in chance.choices(ranks, [1 / rank for rank in ranks], k=count))


def chats(seed: int = 1, *, labelled: bool = False) -> list[Chat]:
    """Questions of some 12 words, answered by some 20 words or by a label."""
    chance = random.Random(seed)
    return [
        (
            Message(role="user", content=words(chance, chance.randint(6, 18))),
            Message(
                role="assistant",
                content=chance.choice(LABELS) if labelled else words(chance, chance.randint(10, 30)),
            ),
        )
        for _ in range(COUNT)
    ]


def kept(conversations: Sequence[Chat]) -> int:
    """How many conversations are no near-duplicates of others."""
    shared = find_shared_text(conversations)
    signatures = {seq: signature(shared.own_text(messages)) for seq, messages in enumerate(conversations)}
    return len(set(clusters(signatures, threshold=0.8).values()))


def asked(chat: Chat, question: str) -> Chat:
    return (Message(role="user", content=question), *chat[1:])


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("length", [30, 60, 319])
def test_a_shared_system_prompt_costs_no_conversation(length: int, labelled: bool) -> None:
    prompt = Message(role="system", content=words(random.Random(2), length))
    plain = chats(labelled=labelled)

    assert kept([(prompt, *chat) for chat in plain]) == kept(plain)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("length", [30, 60, 319])
def test_an_instruction_before_or_after_each_question_costs_none(length: int, labelled: bool) -> None:
    prompt = words(random.Random(2), length)
    plain = chats(labelled=labelled)

    assert kept([asked(chat, f"{prompt}\n\n{chat[0].content}") for chat in plain]) == kept(plain)
    assert kept([asked(chat, f"{chat[0].content}\n\n{prompt}") for chat in plain]) == kept(plain)


@pytest.mark.parametrize("passages", [5, 20, 60])
@pytest.mark.parametrize("each", [1, 3])
def test_popular_retrieved_passages_cost_none(passages: int, each: int) -> None:
    chance = random.Random(2)
    texts = [words(chance, 200) for _ in range(passages)]
    plain = chats()
    with_passages = [
        asked(
            chat, "Context:\n" + "\n\n".join(chance.sample(texts, each)) + "\n\nQuestion: " + chat[0].content
        )
        for chat in plain
    ]

    assert kept(with_passages) >= kept(plain)


def test_what_tools_return_does_not_count() -> None:
    plain = chats()
    chance = random.Random(2)
    result = Message(role="tool", content=words(chance, 300), tool_call_id="1")

    def with_call(chat: Chat) -> Chat:
        call = Message(
            role="assistant", content="", tool_calls=(ToolCall(name="search", arguments="{}", id="1"),)
        )
        return (chat[0], call, result, chat[1])

    assert kept([with_call(chat) for chat in plain]) == kept(plain)


def test_true_copies_stay_copies_also_under_a_shared_instruction() -> None:
    prompt = words(random.Random(2), 100)
    plain = chats()
    copies = [asked(chat, chat[0].content + " please") for chat in plain[:200]]
    conversations = [asked(chat, f"{prompt}\n{chat[0].content}") for chat in [*plain, *copies]]

    assert kept(conversations) <= kept(plain) + 10  # of a few short questions, the similarity is below 0.8


def test_many_copies_with_a_word_changed_are_one() -> None:
    chance = random.Random(3)
    question, answer = words(chance, 60).split(), words(chance, 60)

    def copy(number: int) -> Chat:
        changed = list(question)
        changed[chance.randrange(60)] = f"typo{number}"
        return (Message(role="user", content=" ".join(changed)), Message(role="assistant", content=answer))

    plain = chats()

    assert kept([*plain, *(copy(number) for number in range(100))]) <= kept(plain) + 5


def test_conversations_of_shared_text_alone_neither_vanish_nor_all_stay() -> None:
    greeting = (
        Message(role="user", content="Hello there, can you tell me what you are able to do for me?"),
        Message(
            role="assistant",
            content="I can help with orders, returns and payments. What would you like to know?",
        ),
    )
    plain = chats()

    assert kept([*plain, *[greeting] * 50]) == kept(plain) + 1


def test_nothing_is_shared_among_few() -> None:
    chat = chats()[0]
    other = (Message(role="user", content="Something else."),)

    assert find_shared_text([chat, chat, other]).own_text(chat) == find_shared_text([]).own_text(chat)
