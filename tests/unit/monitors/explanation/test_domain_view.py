"""The classifier's opinion adds up, word by word, and is no opinion where nothing changed."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from monitors.explanation.domain_view import domain_view
from monitors.explanation.terms import terms_of
from monitors.texts import user_text, words
from monitors.types import DomainView, Sample
from tests.factories.monitors import a_sample, made_of

TEA, BANK = ["tea", "leaf", "pot", "cup", "brew"], ["loan", "fee", "bank", "card", "rate"]


def seen(window: list[Sample], reference: list[Sample], *, limit: int = 10) -> DomainView | None:
    both = [*reference, *window]
    terms = terms_of((words(user_text(sample)) for sample in both), both)
    return domain_view(terms, both, np.arange(len(both)) >= len(reference), limit=limit, seed=0)


def test_other_words_are_told_apart_and_named() -> None:
    view = seen(made_of(BANK, 60, seed=1), made_of(TEA, 100, seed=2))

    assert view is not None
    assert view.tells_apart
    assert view.auc > 0.95
    assert {effect.word for effect in view.words if effect.having > 0} == set(BANK)
    assert {effect.word for effect in view.words if effect.having < 0} == set(TEA)
    assert all(effect.mean > 0 for effect in view.words)  # lacking tea looks new, too


def test_the_effects_are_shap_values_of_the_model() -> None:
    """phi = w (x - E[x]), and with all of a conversation's values the model's log-odds are whole (efficiency)."""
    rng = np.random.default_rng(0)
    rows = (rng.random((80, 6)) < 0.4).astype(float)
    model = LogisticRegression().fit(rows, rng.random(80) < 0.5)
    expected = rows.mean(axis=0)
    phi = model.coef_[0] * (rows - expected)

    whole = model.decision_function(rows) - model.decision_function(expected[None])
    assert phi.sum(axis=1) == pytest.approx(whole)


def test_alike_sides_are_not_told_apart() -> None:
    """The interval holds one half in about 19 of 20 pairs of alike sides."""
    views = [seen(made_of(TEA, 60, seed=2 * n), made_of(TEA, 100, seed=2 * n + 1)) for n in range(20)]

    assert sum(view is not None and view.tells_apart for view in views) <= 2


def test_a_user_who_floods_does_not_decide() -> None:
    flood = [a_sample(f"f{n}", " ".join(BANK), group="one") for n in range(100)]

    view = seen([*made_of(TEA, 60, seed=1), *flood], made_of(TEA, 100, seed=2))

    assert view is not None
    assert not {effect.word for effect in view.words} & set(BANK)


def test_too_few_users_or_words_are_no_view() -> None:
    assert seen(made_of(BANK, 9, seed=1), made_of(TEA, 100, seed=2)) is None
    assert (
        seen([a_sample(f"w{n}", "") for n in range(30)], [a_sample(f"r{n}", "12345") for n in range(30)])
        is None
    )
    assert seen([a_sample(f"w{n}", "tea", group="one") for n in range(30)], made_of(TEA, 100, seed=2)) is None


def test_chinese_words_are_named_once_each() -> None:
    window = made_of(["退款", "退货", "订单"], 60, seed=1, joined="，")

    view = seen(window, made_of(["泡茶", "绿茶", "红茶"], 100, seed=2, joined="，"))

    assert view is not None
    assert {effect.word for effect in view.words} == {"退款", "退货", "订单", "泡茶", "绿茶", "红茶"}
