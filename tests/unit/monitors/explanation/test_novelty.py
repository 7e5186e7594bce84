"""The share that is new is never promised to be more than it is."""

import numpy as np
import pytest

from monitors.explanation.novelty import newness, share_new
from tests.factories.monitors import a_sample, made_of

OLD, NEW = ["tea", "leaf", "pot", "cup"], ["loan", "fee", "bank", "card"]


@pytest.mark.parametrize("new", [0.0, 0.3, 0.7, 1.0])
def test_the_share_is_bounded_from_below_nine_times_in_ten(new: float) -> None:
    random = np.random.default_rng(0)

    def bound() -> float:
        fresh = random.random(100) < new
        return share_new(random.normal(size=300), random.normal(size=100) + 4 * fresh)

    bounds = [bound() for _ in range(100)]

    assert sum(b <= new for b in bounds) >= 90
    assert np.mean(bounds) >= new - 0.35


def test_the_bound_closes_in_with_more_conversations() -> None:
    random = np.random.default_rng(0)

    many = share_new(
        random.normal(size=50_000), np.r_[random.normal(size=5_000), random.normal(size=5_000) + 9]
    )

    assert many == pytest.approx(0.5, abs=0.05)


def test_new_conversations_score_above_old_ones() -> None:
    old, new = made_of(OLD, 20, seed=1), made_of(NEW, 20, seed=2)

    _, scores = newness(made_of(OLD, 100, seed=3), [*old, *new], seed=0)

    assert scores[20:].min() > scores[:20].max()


def test_everything_from_one_user_has_no_score() -> None:
    samples = [a_sample(f"s{i}", "tea", group="one") for i in range(5)]

    past, now = newness(samples[:3], samples[3:], seed=0)

    assert [*past, *now] == [0] * 5
