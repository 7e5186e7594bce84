"""Characters are named where words don't tell: signs, code, endings."""

import numpy as np

from monitors.explanation.spelling import changed_characters
from monitors.explanation.terms import terms_of
from monitors.texts import user_text, words
from monitors.types import Change, Sample
from tests.factories.monitors import a_sample, made_of

TEA, BANK = ["tea", "leaf", "pot", "cup"], ["loan", "fee", "bank", "card"]


def found_in(window: list[Sample], reference: list[Sample]) -> dict[str, Change]:
    both = [*reference, *window]
    texts = [user_text(sample) for sample in both]
    terms = terms_of(map(words, texts), both)
    is_new = np.arange(len(both)) >= len(reference)
    found = changed_characters(texts, both, is_new, terms, limit=10)
    assert {change.aspect for change in found} <= {"characters"}
    return {change.name: change for change in found}


def saying(said: str, count: int, *, prefix: str = "w") -> list[Sample]:
    """Users who add something to what all say."""
    return [
        a_sample(f"{prefix}{n}", f"{conversation.turns[0].content} {said}".strip())
        for n, conversation in enumerate(made_of(TEA, count, seed=9))
    ]


def test_a_sign_that_is_no_word_is_named() -> None:
    found = found_in(saying("→", 50), saying("", 100, prefix="r"))

    assert found["→"].score > 2
    assert found["→"].reference == 0


def test_only_signs_on_both_sides_is_fine() -> None:
    found = found_in(
        [a_sample(f"w{n}", "→→") for n in range(50)], [a_sample(f"r{n}", "§") for n in range(50)]
    )

    assert {"→", "§"} <= {*found, *(c for name in found for c in name)}


def test_code_is_named_by_its_signs() -> None:
    found = found_in(saying("{ } ();", 50), saying("", 100, prefix="r"))

    assert any("{" in name for name in found)
    assert any("()" in name for name in found)


def test_an_ending_is_named_where_no_word_changed() -> None:
    stems = [f"{a}{b}{c}" for a in "bdgkpt" for b in "aeiou" for c in "lmnrst"]
    window = [a_sample(f"w{n}", f"{stems[n % 180]}ium {stems[(n * 7) % 180]}ium") for n in range(150)]
    reference = [a_sample(f"r{n}", f"{stems[n % 180]} {stems[(n * 7) % 180]}") for n in range(150)]

    assert any("ium" in name or "iu" in name for name in found_in(window, reference))


def test_what_changed_words_tell_is_not_told_again() -> None:
    assert found_in(made_of(BANK, 60, seed=1), made_of(TEA, 100, seed=2)) == {}


def test_changed_chinese_words_are_not_told_again_but_a_changed_sign_is() -> None:
    window = [a_sample(f"w{n}", "退款～订单～") for n in range(50)]
    reference = [a_sample(f"r{n}", "泡茶。绿茶。") for n in range(80)]

    found = found_in(window, reference)

    assert not any(c in "".join(found) for c in "退款订单泡茶绿")
    assert {"~", "。"} <= {*found}  # as words are compared: in the plain width


def test_nothing_is_named_that_only_two_users_write() -> None:
    two = [a_sample(f"t{n}", "tea §§", group=f"u{n % 2}") for n in range(6)]

    assert not any("§" in name for name in found_in([*made_of(TEA, 50, seed=1), *two], saying("", 100)))


def test_where_nothing_changed_nothing_is_named() -> None:
    assert found_in(made_of(TEA, 60, seed=1), made_of(TEA, 100, seed=2)) == {}


def test_empty_texts_have_no_characters() -> None:
    assert (
        found_in([a_sample(f"w{n}", "") for n in range(9)], [a_sample(f"r{n}", " \n") for n in range(9)])
        == {}
    )
