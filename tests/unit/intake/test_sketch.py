import random

import pytest

from daemon.domain.conversation import Message
from daemon.intake.sketch import NearDuplicates, clusters, similarity, sketch
from daemon.intake.text_digest import normalized_words

HANZI = [chr(code) for code in range(0x4E00, 0x5600)]


def sketch_of(text: str) -> bytes:
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
    assert sketch_of("How are  you ＴＯＤＡＹ") == sketch_of("how are you today")


def test_the_bytes_are_the_same_in_every_process() -> None:
    assert sketch_of("hello there my friend")[:8].hex() == "739c17e262b41fb1"


@pytest.mark.parametrize("text", ["", "x", "好", "hello"])
def test_the_shortest_texts_have_a_sketch_too(text: str) -> None:
    assert similarity(sketch_of(text), sketch_of(text)) == 1.0


def test_near_duplicates_are_found_and_others_are_not() -> None:
    index, found, strangers = NearDuplicates(threshold=0.7), 0, 0
    for seed in range(100):
        tokens = words(seed)
        index.add(seed, sketch_of(" ".join(tokens)))
        found += index.like(sketch_of(" ".join(with_changes(tokens, 2, seed)))) == [seed]
        strangers += bool(index.like(sketch_of(" ".join(words(seed + 1000)))))

    assert found >= 97  # true similarity about 0.87
    assert strangers == 0


def test_chinese_is_told_apart_as_well() -> None:
    chance = random.Random(1)
    text = [chance.choice(HANZI) for _ in range(80)]
    index = NearDuplicates(threshold=0.7)
    index.add(1, sketch_of("".join(text)))

    assert index.like(sketch_of("".join([*text[:40], "好", *text[41:]]))) == [1]
    assert index.like(sketch_of("".join(chance.choice(HANZI) for _ in range(80)))) == []


def test_a_cluster_is_named_by_its_smallest_key() -> None:
    tokens = words(1)
    sketches = {
        9: sketch_of(" ".join(tokens)),
        4: sketch_of(" ".join(with_changes(tokens, 1, 1))),
        7: sketch_of(" ".join(with_changes(tokens, 1, 2))),
        5: sketch_of(" ".join(words(2))),
    }

    assert clusters(sketches, threshold=0.7) == {4: 4, 5: 5, 7: 4, 9: 4}
