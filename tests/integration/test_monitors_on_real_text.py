"""Monitors on conversations that people really had: silent while nothing changes, quick when something does.

Rates over more seeds than a test can afford are in monitors/README.md, measured once with the same code.
"""

import random
from itertools import chain

import pytest

from monitors.explanation.explain import explain
from monitors.shape import language_of, script_of
from monitors.texts import reply_text, user_text
from monitors.types import Finding, Reference, Sample, Verdict, Window
from monitors.window.mmd import TextDiscrepancyMonitor
from tests.factories.monitors import a_reference, a_window, chit_chat, questions

REFERENCE, WINDOW = 500, 100


def chit_chat_then(new: list[Sample], *, share: int, seed: int) -> tuple[Window, Reference]:
    """Shuffled chit-chat, where ``share`` of the window's hundred are new conversations."""
    draw = random.Random(seed)
    mixed = draw.sample(chit_chat(), REFERENCE + WINDOW)
    window = [*mixed[REFERENCE : REFERENCE + WINDOW - share], *draw.sample(new, share)]
    return a_window(window), a_reference(mixed[:REFERENCE])


def english_questions() -> list[Sample]:
    return list(chain.from_iterable(questions("english").values()))


def judged(window: Window, reference: Reference) -> Verdict:
    return TextDiscrepancyMonitor().judge(window, reference)


def test_twenty_shuffles_of_chit_chat_raise_no_alarm() -> None:
    """Declared: 1 in 200. Of 200 shuffles: none, and 4 at a level of .05, as most users are on both sides."""
    findings = [judged(*chit_chat_then([], share=0, seed=seed)).finding for seed in range(20)]

    assert findings == [Finding.STABLE] * 20


@pytest.mark.parametrize("share", [50, 100])
def test_knowledge_questions_among_chit_chat_are_found_in_one_window(share: int) -> None:
    """Of 20 windows with 10, 15, 20, 25, 30, 40, 50 new in a hundred: 1, 3, 6, 15, 19, 20, 20 are found."""
    for seed in range(5):
        verdict = judged(*chit_chat_then(english_questions(), share=share, seed=seed))

        assert verdict.finding is Finding.DRIFT, seed


def test_the_score_rises_with_the_share_that_is_new() -> None:
    scores = [
        judged(*chit_chat_then(english_questions(), share=share, seed=1)).score for share in (0, 25, 50, 100)
    ]

    assert scores == sorted(scores)
    assert scores[0] < 1 < scores[-1]


def test_the_explanation_of_new_questions_names_examples_and_a_share_near_the_truth() -> None:
    window, reference = chit_chat_then(english_questions(), share=50, seed=1)

    explanation = explain(window, reference, limit=10)

    assert sum(example.startswith("english") for example in explanation.examples) >= 4
    # 50 of the window's hundred, and more of those that count, as busy users' chit-chat is limited
    assert 0.2 <= explanation.share_new <= 0.7


CHINESE_KNOWLEDGE = ("literature", "science", "money", "history", "sports", "politics", "trivia")


def test_shuffled_chinese_questions_raise_no_alarm() -> None:
    everything = list(chain.from_iterable(questions("chinese").values()))
    shuffles = [random.Random(seed).sample(everything, len(everything)) for seed in range(20)]

    findings = {judged(a_window(s[268:]), a_reference(s[:268])).finding for s in shuffles}

    assert findings == {Finding.STABLE}


def test_chinese_small_talk_that_turns_to_knowledge_is_found_in_one_window() -> None:
    """Of 20 windows of 70 with 30, 50, 70 new: 10, 20, 20 are found."""
    topics = questions("chinese")
    small_talk = list(chain.from_iterable(v for topic, v in topics.items() if topic not in CHINESE_KNOWLEDGE))
    knowledge = list(chain.from_iterable(topics.get(topic, ()) for topic in CHINESE_KNOWLEDGE))

    assert judged(a_window(knowledge), a_reference(small_talk)).finding is Finding.DRIFT


def languages_named(corpus: str, *, letters: range) -> list[str]:
    """The language of each distinct short text of chatterbot-corpus with so many letters."""
    samples = chain.from_iterable(questions(corpus).values())
    texts = {text for sample in samples for text in (user_text(sample), reply_text(sample))}
    short = [text for text in sorted(texts) if sum(map(str.isalpha, text)) in letters]
    return [language_of(text, script_of(text)) for text in short]


@pytest.mark.parametrize(
    ("corpus", "language"),
    [("english", "en"), ("german", "de"), ("spanish", "es"), ("italian", "it"), ("portuguese", "pt")],
)
def test_a_language_is_named_from_the_length_on_at_which_the_name_is_mostly_right(
    corpus: str, language: str
) -> None:
    barely, longer = (languages_named(corpus, letters=range(*ends)) for ends in ((20, 25), (25, 100)))

    assert set(languages_named(corpus, letters=range(1, 20))) == {"unknown"}
    assert barely.count(language) >= 0.9 * len(barely)
    assert longer.count(language) >= 0.95 * len(longer)


def test_chinese_is_named_at_any_length() -> None:
    named = languages_named("chinese", letters=range(1, 10))

    assert named.count("zh") >= 0.95 * len(named)
