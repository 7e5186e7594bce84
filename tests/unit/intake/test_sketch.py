import random

import pytest

from daemon.domain.conversation import Message
from daemon.intake.sketch import NearDuplicates, clusters, similarity, sketch
from daemon.intake.text_digest import normalized_words

HANZI = [chr(code) for code in range(0x4E00, 0x5600)]


def said(text: str) -> bytes:
    return sketch(normalized_words([Message(role="user", content=text)]))


def words(seed: int, count: int = 60) -> list[str]:
    chance = random.Random(seed)
    return [f"word{chance.randrange(3000)}" for _ in range(count)]


def with_changes(tokens: list[str], count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    changed = list(tokens)
    for place in chance.sample(range(len(tokens)), count):
        changed[place] = f"other{place}"
    return changed


def test_case_width_and_spacing_do_not_matter() -> None:
    assert said("How are  you ＴＯＤＡＹ") == said("how are you today")


def test_the_bytes_are_the_same_in_every_process() -> None:
    assert said("hello there my friend")[:8].hex() == "739c17e262b41fb1"


@pytest.mark.parametrize("text", ["", "x", "好", "hello"])
def test_the_shortest_texts_have_a_sketch_too(text: str) -> None:
    assert similarity(said(text), said(text)) == 1.0


def test_near_duplicates_are_found_and_others_are_not() -> None:
    index, found, strangers = NearDuplicates(threshold=0.7), 0, 0
    for seed in range(100):
        tokens = words(seed)
        index.add(seed, said(" ".join(tokens)))
        found += index.like(said(" ".join(with_changes(tokens, 2, seed)))) == [seed]
        strangers += bool(index.like(said(" ".join(words(seed + 1000)))))

    assert found >= 97  # true similarity about 0.87
    assert strangers == 0


def test_chinese_is_told_apart_as_well() -> None:
    chance = random.Random(1)
    text = [chance.choice(HANZI) for _ in range(80)]
    index = NearDuplicates(threshold=0.7)
    index.add(1, said("".join(text)))

    assert index.like(said("".join([*text[:40], "好", *text[41:]]))) == [1]
    assert index.like(said("".join(chance.choice(HANZI) for _ in range(80)))) == []


def test_a_cluster_is_named_by_its_smallest_key() -> None:
    tokens = words(1)
    sketches = {
        9: said(" ".join(tokens)),
        4: said(" ".join(with_changes(tokens, 1, 1))),
        7: said(" ".join(with_changes(tokens, 1, 2))),
        5: said(" ".join(words(2))),
    }

    assert clusters(sketches, threshold=0.7) == {4: 4, 5: 5, 7: 4, 9: 4}
