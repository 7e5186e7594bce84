import random
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config.settings import CurationSection
from daemon.domain.conversation import Message
from daemon.domain.records import Coordinates, StoredConversation
from daemon.domain.text_digest import text_digest
from daemon.training.curation import Curated, curate
from daemon.training.liked_share import ALWAYS_ALLOWED
from daemon.training.taught_rows import TaughtRow
from daemon.training.text_comparison import compare_texts
from tests.factories.ledger import NOW, TOPIC

LOOSE = CurationSection(user_share=1.0)


def a_conversation(
    seq: int,
    text: str | None = None,
    *,
    user: str | None = None,
    source: str | None = None,
    version: str = "v1",
) -> StoredConversation:
    messages = (Message(role="user", content=text or sentence(seq)),)
    return StoredConversation(
        seq=seq,
        conversation_id=f"c{seq}",
        coordinates=Coordinates(topic=TOPIC, partition=0, offset=seq),
        at=NOW,
        group=user or f"u{seq}",
        held_out=False,
        version=version,
        messages=messages,
        feedback=None,
        text_digest=text_digest(messages),
        record_sha256="",
        conversation_hash="",
        source=source,
    )


def sentence(seed: int, *, changed: int = 0) -> str:
    """40 words; some of them changed."""
    chance = random.Random(seed)
    words = [f"w{chance.randrange(5_000)}" for _ in range(40)]
    return " ".join([*words[: 40 - changed], *(f"x{place}" for place in range(changed))])


class HeldOut:
    """The held-out conversations of a ledger."""

    def __init__(self, *held_out: StoredConversation) -> None:
        self._held_out = held_out

    def newest_held_out(self, limit: int) -> list[StoredConversation]:
        return list(self._held_out)[-limit:]

    def held_out_messages(self) -> Iterator[tuple[Message, ...]]:
        return (conversation.messages for conversation in self._held_out)

    def held_out_text_digests(self) -> frozenset[str]:
        return frozenset(conversation.text_digest for conversation in self._held_out)


def chosen(
    conversations: Sequence[StoredConversation],
    limits: CurationSection = LOOSE,
    *,
    held_out: StoredConversation | None = None,
    always_allowed: int = ALWAYS_ALLOWED,
) -> Curated:
    rows = [TaughtRow(conversation=one, lessons=(), kind=None) for one in conversations]
    texts = compare_texts(HeldOut(*([held_out] if held_out else [])), rows, similarity=0.8)
    return curate(
        conversations, texts.holdout, limits, texts.signatures, tuned="v1", always_allowed=always_allowed
    )


def seqs(found: Curated) -> list[int]:
    return [conversation.seq for conversation in found.kept]


def test_different_conversations_are_all_taken_in_their_order() -> None:
    found = chosen([a_conversation(number) for number in range(50)])

    assert seqs(found) == list(range(50))
    assert found.left_out == {}


def test_the_words_of_a_held_out_conversation_are_not_learned() -> None:
    found = chosen([a_conversation(1), a_conversation(2)], held_out=a_conversation(99, sentence(1).upper()))

    assert seqs(found) == [2]
    assert found.left_out == {"same words as a held-out one": 1}


def test_nearly_the_words_of_a_held_out_conversation_are_not_learned() -> None:
    found = chosen(
        [a_conversation(1), a_conversation(2)], held_out=a_conversation(99, sentence(1, changed=1))
    )

    assert seqs(found) == [2]
    assert found.left_out == {"nearly the words of a held-out one": 1}


def test_under_a_shared_instruction_only_the_held_out_question_is_recognised() -> None:
    instruction = sentence(10_000) + " " + sentence(10_001)
    candidates = [a_conversation(number, f"{instruction} {sentence(number)}") for number in range(8)]

    found = chosen(candidates, held_out=a_conversation(99, f"{instruction} {sentence(3, changed=1)}"))

    assert seqs(found) == [0, 1, 2, 4, 5, 6, 7]


def test_of_near_duplicates_the_newest_is_taken() -> None:
    found = chosen(
        [a_conversation(1, sentence(7)), a_conversation(2, sentence(7, changed=1)), a_conversation(3)]
    )

    assert seqs(found) == [2, 3]
    assert found.left_out == {"nearly the words of another": 1}


def test_one_user_fills_at_most_a_share() -> None:
    flood = [a_conversation(number, user="flood") for number in range(100)]
    others = [a_conversation(number) for number in range(100, 300)]

    found = chosen([*flood, *others], CurationSection(user_share=0.05))

    assert Counter(conversation.group for conversation in found.kept)["flood"] == 15
    assert seqs(found)[:15] == list(range(85, 100))
    assert found.left_out == {"one user's share": 85}


def test_few_conversations_of_a_user_are_always_allowed() -> None:
    found = chosen(
        [a_conversation(number, user="only") for number in range(8)],
        CurationSection(user_share=0.05),
    )

    assert len(found.kept) == 8


def test_one_source_fills_at_most_a_share_and_those_without_one_are_free() -> None:
    conversations = [a_conversation(number, source="loud" if number < 60 else None) for number in range(100)]

    found = chosen(conversations, CurationSection(user_share=1, source_share=0.3))

    assert Counter(conversation.source for conversation in found.kept) == {"loud": 30, None: 40}


def test_what_the_tuned_version_answered_can_be_capped() -> None:
    conversations = [
        a_conversation(number, version="v1" if number % 2 else "person") for number in range(100)
    ]

    found = chosen(conversations, CurationSection(user_share=1, own_share=0.2))

    assert Counter(conversation.version for conversation in found.kept) == {"v1": 20, "person": 50}


@pytest.mark.parametrize(
    ("limits", "always_allowed"),
    [(CurationSection(), 10), (LOOSE, 10), (CurationSection(user_share=0.3, source_share=0.5), 2)],
)
@given(
    origins=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3), st.integers(0, 2)), max_size=40),
)
def test_no_cap_is_ever_exceeded_and_nothing_vanishes_uncounted(
    limits: CurationSection, always_allowed: int, origins: list[tuple[int, int, int]]
) -> None:
    conversations = [
        a_conversation(seq, sentence(text), user=f"u{user}", source=f"s{source}")
        for seq, (text, user, source) in enumerate(origins)
    ]

    found = chosen(conversations, limits, always_allowed=always_allowed)

    total = len({text for text, _, _ in origins})
    for origin, share in (("group", limits.user_share), ("source", limits.source_share)):
        most = max(always_allowed, int(total * share)) if share < 1 else total
        assert all(count <= most for count in Counter(getattr(t, origin) for t in found.kept).values())
    assert len(found.kept) + sum(found.left_out.values()) == len(conversations)
    assert len({conversation.text_digest for conversation in found.kept}) == len(found.kept)
    assert seqs(found) == sorted(seqs(found))
