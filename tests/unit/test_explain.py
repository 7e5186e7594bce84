"""An explanation names what is new, and isn't led astray by one chatty conversation or user."""

from monitors.explain import explain
from monitors.types import Explanation
from tests.factories_monitors import a_reference, a_sample, a_window, made_of

TEA, BANK = ["tea", "leaf", "pot", "cup"], ["loan", "fee", "bank", "card"]
茶, 退 = ["泡茶", "绿茶", "红茶"], ["退款", "退货", "订单"]


def words_of(explanation: Explanation, *, more: bool) -> set[str]:
    return {c.name for c in explanation.changes if c.aspect == "word" and (c.score > 0) is more}


def test_new_words_and_lost_words_are_named() -> None:
    found = explain(a_window(made_of(BANK, 50, seed=1)), a_reference(made_of(TEA, 200, seed=2)))

    assert words_of(found, more=True) == set(BANK)
    assert words_of(found, more=False) == set(TEA)
    assert found.share_new > 0.7


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
    told = [a_sample(f"w{i}", "zhangsan tea", group=f"u{i % 2}") for i in range(6)]

    found = explain(a_window([*made_of(TEA, 44, seed=1), *told]), a_reference(made_of(TEA, 200, seed=2)))

    assert "zhangsan" not in words_of(found, more=True)
