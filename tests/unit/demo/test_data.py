import itertools
from collections import Counter
from pathlib import Path

import orjson
import pytest

from daemon.demo import data as demo_data
from daemon.demo.data import DemoDataMissing, chit_chat, knowledge_questions
from daemon.domain.conversation import Conversation
from daemon.intake.conversation_file import FILE_LIMITS
from daemon.intake.decoding import decode
from daemon.intake.replay import encode_record
from tests.factories.intake import NOW


@pytest.fixture(scope="module")
def chats() -> list[Conversation]:
    return chit_chat()


@pytest.fixture(scope="module")
def questions() -> list[Conversation]:
    return knowledge_questions(seed=1)


def test_chit_chat_has_real_users_times_and_ratings(chats: list[Conversation]) -> None:
    assert len(chats) > 4000
    assert len({conversation.user_id for conversation in chats}) > 800
    assert sum(conversation.feedback is not None for conversation in chats) > 3500
    assert chats == sorted(chats, key=lambda conversation: (conversation.at, conversation.conversation_id))


def test_chit_chat_starts_with_the_user_and_alternates(chats: list[Conversation]) -> None:
    for conversation in chats:
        assert conversation.messages[0].role == "user"
        assert all(one.role != other.role for one, other in itertools.pairwise(conversation.messages))


def test_ratings_come_in_our_scale(chats: list[Conversation]) -> None:
    scores = {conversation.feedback.score for conversation in chats if conversation.feedback}

    assert {-1.0, 1.0} <= scores
    assert all(score is not None and -1 <= score <= 1 for score in scores)


def test_a_shuffle_is_the_same_for_the_same_seed_only() -> None:
    first, again, other = (chit_chat(20, order="shuffled", seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_questions_are_distinct_pairs(questions: list[Conversation]) -> None:
    pairs = Counter(
        (conversation.messages[0].content.casefold(), conversation.messages[1].content.casefold())
        for conversation in questions
    )

    assert len(questions) > 600
    assert max(pairs.values()) == 1
    assert sum(conversation.metadata["domain"] == "tech_support" for conversation in questions) == 10


def test_questions_have_the_same_ids_in_another_order(questions: list[Conversation]) -> None:
    others = knowledge_questions(seed=2)

    assert [conversation.conversation_id for conversation in others] != [
        conversation.conversation_id for conversation in questions
    ]
    assert {conversation.conversation_id for conversation in others} == {
        conversation.conversation_id for conversation in questions
    }


def test_all_of_it_is_accepted_at_intake(chats: list[Conversation], questions: list[Conversation]) -> None:
    for conversation in chats + questions:
        assert decode(encode_record(conversation), limits=FILE_LIMITS, received_at=NOW) == conversation


def test_packages_that_are_not_installed_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_data, "find_spec", lambda _: None)

    with pytest.raises(DemoDataMissing, match=r"chitchat-dataset.*pip install 'retuned\[demo\]'"):
        chit_chat()
    with pytest.raises(DemoDataMissing, match="chatterbot-corpus"):
        knowledge_questions()


@pytest.mark.parametrize(
    "content", [b"{", b"[]", orjson.dumps({"a": {}}), orjson.dumps({"a": {"messages": [[{}]]}})]
)
def test_data_that_changed_their_shape_are_named(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "dataset.json"
    changed.write_bytes(content)
    monkeypatch.setattr(demo_data, "_package_file", lambda *_: changed)

    with pytest.raises(DemoDataMissing, match="can't be read"):
        chit_chat()
