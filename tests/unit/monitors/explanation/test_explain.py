"""An explanation names what is new, and isn't led astray by one chatty conversation or user."""

from dataclasses import replace

from monitors.explanation.explain import explain
from monitors.types import Aspect, Explanation, Sample, Turn
from tests.factories.monitors import a_reference, a_sample, a_window, made_of

TEA, BANK = ["tea", "leaf", "pot", "cup"], ["loan", "fee", "bank", "card"]
茶, 退 = ["泡茶", "绿茶", "红茶"], ["退款", "退货", "订单"]


def words_of(explanation: Explanation, *, more: bool) -> set[str]:
    return {c.name for c in explanation.changes if c.aspect == "word" and (c.score > 0) is more}


def test_new_words_and_lost_words_are_named() -> None:
    found = explain(a_window(made_of(BANK, 50, seed=1)), a_reference(made_of(TEA, 200, seed=2)))

    assert words_of(found, more=True) == set(BANK)
    assert words_of(found, more=False) == set(TEA)
    assert found.share_new > 0.7


def test_what_is_new_is_named_though_what_is_gone_is_surer() -> None:
    """English gives way to Chinese: each English word is gone for sure, each Chinese one is rare."""
    pairs = [a + b for a in "天地玄黄宇宙洪荒日月" for b in "盈昃辰宿列张寒来暑往"]
    window = made_of(pairs, 60, seed=1, joined="，")

    found = explain(a_window(window), a_reference(made_of(TEA + BANK, 300, seed=2)), limit=8)

    assert words_of(found, more=False) <= {*TEA, *BANK}
    assert len(words_of(found, more=True)) == len(words_of(found, more=False)) == 4


def test_chinese_words_are_named() -> None:
    found = explain(
        a_window(made_of(退, 50, seed=1, joined="，")), a_reference(made_of(茶, 200, seed=2, joined="，"))
    )

    assert words_of(found, more=True) == set(退)


def test_emoji_and_thai_particles_are_named_though_no_space_parts_them() -> None:
    letters = "กขงจชดตนบปพมยรลวสห"
    stems = [f"{a}{b}{c}" for a in letters for b in letters for c in letters][::29]
    window = [a_sample(f"w{n}", f"{stems[n]}ค่ะ🎉") for n in range(80)]
    reference = [a_sample(f"r{n}", f"{stems[n]}ครับ") for n in range(120)]

    found = explain(a_window(window), a_reference(reference))

    assert {"ค่ะ", "🎉"} <= words_of(found, more=True)
    assert any("คร" in word for word in words_of(found, more=False))


def test_a_word_said_a_hundred_times_in_one_conversation_is_not_telling() -> None:
    window = [*made_of(TEA, 49, seed=1), a_sample("chatty", "spam " * 100)]

    found = explain(a_window(window), a_reference(made_of(TEA, 200, seed=2)))

    assert "spam" not in words_of(found, more=True)


def test_examples_are_the_new_conversations() -> None:
    window = [*made_of(TEA, 45, seed=1), *made_of(BANK, 10, seed=3, prefix="new")]

    found = explain(a_window(window), a_reference(made_of(TEA, 200, seed=2)), limit=5)

    assert len({*found.examples}) == 5
    assert all(example.startswith("new") for example in found.examples)


def test_longer_questions_are_a_changed_descriptor() -> None:
    window = [a_sample(f"w{i}", "tea " * 30) for i in range(50)]

    found = explain(a_window(window), a_reference(made_of(TEA, 200, seed=2)))

    (longer,) = [change for change in found.changes if change.name == "user_characters"]
    assert longer.score > 3
    assert longer.window == 120


def replied(words: list[str], count: int, *, prefix: str, version: str = "v1") -> list[Sample]:
    """Users ask about tea; these are the answers' words."""
    conversations = zip(
        made_of(TEA, count, seed=1, prefix=prefix), made_of(words, count, seed=3), strict=True
    )
    return [
        replace(
            asked,
            version=version,
            turns=(asked.turns[0], Turn(role="assistant", content=said.turns[0].content)),
        )
        for asked, said in conversations
    ]


def test_where_replies_changed_they_are_explained_as_against_those_of_the_same_version() -> None:
    window = [*replied(TEA, 45, prefix="w"), *replied(BANK, 15, prefix="new")]
    before = [*replied(TEA, 150, prefix="r"), *replied(退, 150, prefix="old", version="v0")]

    found = explain(a_window(window), a_reference(before), leading_aspect=Aspect.REPLY)

    assert found.speaker == "assistant"
    assert words_of(found, more=True) == set(BANK)
    assert words_of(found, more=False) <= set(TEA)
    assert all(example.startswith("new") for example in found.examples)


def test_labels_and_defects_that_became_common_are_named_with_conversations_that_have_them() -> None:
    refunds = [replace(s, labels=(("intent", "refund"),)) for s in made_of(TEA, 20, seed=5, prefix="refund")]
    orders = [replace(s, labels=(("intent", "order"),)) for s in made_of(TEA, 230, seed=1)]
    broken = [a_sample(f"broken{n}", "tea leaf", replied="") for n in range(10)]

    found = explain(a_window([*orders[:30], *refunds]), a_reference(orders[30:]), leading_aspect=Aspect.LABEL)
    emptied = explain(
        a_window([*orders[:40], *broken]), a_reference(orders[40:]), leading_aspect=Aspect.DEFECTS
    )

    named = {(change.aspect, change.name): change.window for change in found.changes}
    assert named["label", "intent: refund"] == 0.4
    assert all(example.startswith("refund") for example in found.examples)
    defects = {change.name: change.window for change in emptied.changes if change.aspect == "defect"}
    assert defects["no reply"] == defects["empty"] == 0.2
    assert all(example.startswith("broken") for example in emptied.examples)


def test_where_users_became_discontent_the_most_discontent_are_shown() -> None:
    content = [a_sample(f"s{n}", f"tea {n}", feedback=1.0) for n in range(140)]
    angry = [a_sample(f"angry{n}", f"tea {n}", feedback=-1.0) for n in range(10)]

    found = explain(
        a_window([*content[:40], *angry]), a_reference(content[40:]), leading_aspect=Aspect.QUALITY
    )

    assert all(example.startswith("angry") for example in found.examples)
    assert "feedback" in {change.name for change in found.changes}


def test_a_label_of_two_users_is_nobody_elses_to_read() -> None:
    samples = [
        replace(s, group=f"u{n % 2}", labels=(("name", "zhangsan"),))
        for n, s in enumerate(made_of(TEA, 6, seed=5))
    ]

    found = explain(a_window([*made_of(TEA, 20, seed=1), *samples]), a_reference(made_of(TEA, 200, seed=2)))

    assert "name: zhangsan" not in {change.name for change in found.changes}


def test_where_nothing_changed_nothing_is_new() -> None:
    found = explain(a_window(made_of(TEA, 50, seed=1)), a_reference(made_of(TEA, 200, seed=2)))

    assert found.share_new < 0.1


def test_empty_texts_explain_nothing() -> None:
    samples = [a_sample(f"s{i}", "") for i in range(20)]

    found = explain(a_window(samples[:5]), a_reference(samples[5:]))

    assert found.changes == ()
    assert found.topics == ()
    assert found.domain is None
    assert found.share_new == 0


def test_a_window_of_one_user_is_explained_by_nothing_that_they_said() -> None:
    window = [a_sample(f"w{n}", "zhangsan 退款 🎉", group="one") for n in range(40)]

    found = explain(a_window(window), a_reference(made_of(TEA, 200, seed=2)))

    assert words_of(found, more=True) == set()
    assert [
        change.name for change in found.changes if change.aspect == "characters" and change.score > 0
    ] == []
    assert found.topics == ()
    assert len(found.examples) == 1


def test_what_only_two_users_say_is_nobody_elses_to_read() -> None:
    samples = [a_sample(f"w{i}", "zhangsan tea", group=f"u{i % 2}") for i in range(6)]

    found = explain(a_window([*made_of(TEA, 44, seed=1), *samples]), a_reference(made_of(TEA, 200, seed=2)))

    assert "zhangsan" not in words_of(found, more=True)
