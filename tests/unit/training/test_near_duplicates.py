import random

import pytest

from daemon.domain.conversation import Message
from daemon.training.near_duplicates import NearDuplicates, Signature, clusters, signature, similarity
from daemon.training.shared_text import find_shared_text

HANZI = [chr(code) for code in range(0x4E00, 0x5600)]


def signature_of(text: str, answer: str | None = None) -> Signature:
    answers = [] if answer is None else [Message(role="assistant", content=answer)]
    return signature(find_shared_text([]).own_text([Message(role="user", content=text or " "), *answers]))


def words(seed: int, count: int = 60) -> list[str]:
    chance = random.Random(seed)
    return [f"word{chance.randrange(3000)}" for _ in range(count)]


def with_changes(tokens: list[str], count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    changed = list(tokens)
    for place in chance.sample(range(len(tokens)), count):
        changed[place] = f"other{place}"
    return changed


def test_case_width_spacing_and_punctuation_do_not_matter() -> None:
    assert signature_of("How are  you, ＴＯＤＡＹ?") == signature_of("how are you today")


def test_the_hashes_are_the_same_in_every_process() -> None:
    assert signature_of("hello there my friend").whole[:2] == (3275457974, 3304833219)


@pytest.mark.parametrize("text", ["", "x", "好", "hello"])
def test_the_shortest_texts_have_a_signature_too(text: str) -> None:
    assert similarity(signature_of(text).whole, signature_of(text).whole) == 1.0


def test_near_duplicates_are_found_and_others_are_not() -> None:
    index, found, strangers = NearDuplicates(threshold=0.7), 0, 0
    for seed in range(100):
        tokens = words(seed)
        index.add(seed, signature_of(" ".join(tokens)))
        found += index.like(signature_of(" ".join(with_changes(tokens, 2, seed)))) == [seed]
        strangers += bool(index.like(signature_of(" ".join(words(seed + 1000)))))

    assert found >= 97  # true similarity about 0.87
    assert strangers == 0


def test_chinese_is_told_apart_as_well() -> None:
    chance = random.Random(1)
    text = [chance.choice(HANZI) for _ in range(80)]
    index = NearDuplicates(threshold=0.7)
    index.add(1, signature_of("".join(text)))

    assert index.like(signature_of("".join([*text[:40], "好", *text[41:]]))) == [1]
    assert index.like(signature_of("".join(chance.choice(HANZI) for _ in range(80)))) == []


def test_the_same_question_with_another_answer_is_no_duplicate_nor_the_other_way_round() -> None:
    long, short, other = " ".join(words(1, 100)), " ".join(words(2, 8)), " ".join(words(3, 8))
    index = NearDuplicates(threshold=0.8)
    index.add(1, signature_of(long, short))
    index.add(2, signature_of(short, long))

    assert index.like(signature_of(long, other)) == []
    assert index.like(signature_of(other, long)) == []
    assert index.like(signature_of(long.upper(), short)) == [1]


def test_a_cluster_is_named_by_its_smallest_key() -> None:
    tokens = words(1)
    signatures = {
        9: signature_of(" ".join(tokens)),
        4: signature_of(" ".join(with_changes(tokens, 1, 1))),
        7: signature_of(" ".join(with_changes(tokens, 1, 2))),
        5: signature_of(" ".join(words(2))),
    }

    assert clusters(signatures, threshold=0.7) == {4: 4, 5: 5, 7: 4, 9: 4}
