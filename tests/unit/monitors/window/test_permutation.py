"""The permutation test keeps its level, also where rows depend on each other, and sees what is there."""

import numpy as np
import pytest
from numpy.typing import NDArray

from monitors.window.permutation import PermutationTest, permutation_test

LEVEL = 0.05


def a_test(
    rows: NDArray[np.float64], blocks: NDArray[np.intp], *, window: int, seed: int = 0, level: float = LEVEL
) -> PermutationTest:
    return permutation_test(
        rows @ rows.T,
        in_window=np.arange(len(rows)) >= len(rows) - window,
        blocks=blocks,
        level=level,
        permutations=199,
        seed=seed,
    )


def test_the_statistic_is_the_unbiased_mmd() -> None:
    rows = np.random.default_rng(0).normal(size=(9, 2))
    past, now = rows[:5], rows[5:]
    within = [(side @ side.T)[~np.eye(len(side), dtype=bool)].mean() for side in (past, now)]

    found = a_test(rows, np.arange(9), window=4)

    assert found.mmd2 == pytest.approx(sum(within) - 2 * (past @ now.T).mean())


def test_independent_rows_raise_alarms_at_the_level() -> None:
    random = np.random.default_rng(1)

    alarms = sum(
        a_test(random.normal(size=(60, 3)), np.arange(60), window=15, seed=i).score > 1 for i in range(400)
    )

    assert 8 <= alarms <= 32  # 20 expected


def test_rows_that_depend_on_each_other_raise_no_more_alarms_than_declared_when_they_move_together() -> None:
    random, blocks = np.random.default_rng(2), np.repeat(np.arange(20), 4)

    def alarms(blocks: NDArray[np.intp]) -> int:
        draws = (random.normal(size=(20, 3))[np.repeat(np.arange(20), 4)] for _ in range(200))
        return sum(a_test(rows, blocks, window=20, seed=i).score > 1 for i, rows in enumerate(draws))

    assert alarms(blocks) <= 20  # 10 expected
    assert alarms(np.arange(80)) > 60  # what shuffling rows would have claimed


@pytest.mark.parametrize("seed", range(20))
def test_score_above_one_means_p_value_at_most_level(seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(40, 2))
    rows[30:] += seed / 20

    found = a_test(rows, np.arange(40), window=10)

    assert (found.score > 1) == (found.p_value <= LEVEL)


def test_more_permutations_are_drawn_where_a_small_level_needs_them() -> None:
    rows = np.vstack([np.zeros((30, 1)), np.ones((10, 1))])

    found = a_test(rows, np.arange(40), window=10, level=0.001)

    assert found.permutations == 9_999
    assert found.p_value <= 0.001


def test_rows_that_are_all_alike_are_no_drift() -> None:
    found = a_test(np.ones((40, 2)), np.arange(40), window=10)

    assert found.p_value == 1
    assert found.score <= 1
