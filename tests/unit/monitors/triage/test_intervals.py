import numpy as np
import pytest

from monitors.triage.intervals import Interval, by_user, difference, mean, per_unit, share, share_difference


def test_a_mean_and_its_t_interval() -> None:
    found = mean([1.0, 2.0, 3.0, 4.0])

    assert found.estimate == 2.5
    assert (found.lower, found.upper) == pytest.approx((0.4457, 4.5543), abs=1e-4)


def test_a_difference_of_means_is_welchs() -> None:
    found = difference([3.0, 4.0, 5.0, 6.0], [1.0, 1.5, 2.0])

    assert found.estimate == 3.0
    assert (found.lower, found.upper) == pytest.approx((1.0510, 4.9490), abs=1e-4)


@pytest.mark.parametrize("found", [mean([1.0]), difference([1.0], [1.0, 2.0])])
def test_single_values_bound_nothing(found: Interval) -> None:
    assert (found.lower, found.upper) == (-np.inf, np.inf)
    assert not found.above_zero


def test_a_share_is_wilsons() -> None:
    found = share(10, 50)

    assert (found.lower, found.upper) == pytest.approx((0.1124, 0.3304), abs=1e-4)
    assert share(0, 20).lower == 0.0


def test_a_difference_of_shares_is_newcombes() -> None:
    """His example (a): 56/70 and 48/80."""
    found = share_difference(share(56, 70), share(48, 80))

    assert (found.lower, found.upper) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_a_users_conversations_are_one_value() -> None:
    assert by_user([1.0, 3.0, 5.0], ["ada", "ada", "bob"]) == [2.0, 5.0]


def test_values_per_unit_have_the_mean_of_the_ratio() -> None:
    values = per_unit([10.0, 2.0, 30.0], [5, 2, 10])

    assert values.mean() == pytest.approx(42 / 17)


def test_intervals_of_ratios_hold_what_they_promise() -> None:
    random, missed = np.random.default_rng(0), 0
    for _ in range(400):
        sizes = random.integers(1, 60, 80)
        sums = sizes * random.gamma(4.0, 0.5, 80)  # 2 a unit
        found = mean(per_unit(sums, sizes))
        missed += not found.lower <= 2.0 <= found.upper

    assert missed / 400 < 0.09
