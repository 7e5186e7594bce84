"""What users think is predicted from what others said, only where that tells something."""

import random
from collections.abc import Callable

import numpy as np
from scipy.stats import ks_2samp

from monitors.types import Finding, Sample
from monitors.window.columns import ColumnsMonitor
from monitors.window.descriptors import PREDICTED, describe_both
from monitors.window.satisfaction import predicted
from tests.factories.monitors import a_reference, a_sample, a_window

HELPS = ["your order leaves today", "已经为您退款", "the parcel arrives tomorrow", "明天送达"]
FAILS = ["i can not help with that", "抱歉，我无法回答", "please ask somebody else", "请稍后再试"]


def talks(
    name: str, count: int, *, failing: float, opinion: Callable[[bool, random.Random], float | None]
) -> list[Sample]:
    """Conversations of a user each, so many of which fail; what users thought depends on whether theirs did."""
    draw = random.Random(name)
    made = []
    for number in range(count):
        failed = draw.random() < failing
        feedback = opinion(failed, draw)
        replied = " ".join(draw.choices(FAILS if failed else HELPS, k=2))
        made.append(a_sample(f"{name}{number}", "where is my order", replied=replied, feedback=feedback))
    return made


def honest(failed: bool, draw: random.Random) -> float | None:
    """One user in three says what he thinks, nine times in ten truly."""
    if draw.random() > 1 / 3:
        return None
    return -1.0 if failed is (draw.random() < 0.9) else 1.0


def silent(_failed: bool, _draw: random.Random) -> None:
    return None


def at_random(_failed: bool, draw: random.Random) -> float:
    return draw.choice([-1.0, 1.0])


def test_those_who_said_nothing_are_predicted_to_think_what_others_do() -> None:
    reference = talks("r", 300, failing=0.3, opinion=honest)
    window = [*talks("good", 30, failing=0, opinion=silent), *talks("bad", 30, failing=1, opinion=silent)]

    sides = predicted(reference, window)

    assert sides is not None
    past, current = sides
    assert (len(past), len(current)) == (300, 60)
    assert current[:30].min() > current[30:].max()
    assert 0.2 < current[:30].mean() < 1.2
    assert -1.2 < current[30:].mean() < -0.2


def test_it_can_t_be_told_by_few_opinions_by_one_kind_of_them_or_where_they_are_of_nothing_that_shows() -> (
    None
):
    window = talks("w", 50, failing=0.3, opinion=silent)

    assert predicted(talks("r", 100, failing=0.3, opinion=honest), window) is None
    assert predicted(talks("r", 300, failing=0.3, opinion=lambda _failed, _draw: 1.0), window) is None
    assert predicted(talks("r", 300, failing=0.3, opinion=at_random), window) is None


def test_opinions_of_one_user_are_those_of_one() -> None:
    few = [
        a_sample(s.id, "x", replied=s.turns[1].content, feedback=s.feedback, group=f"u{number % 40}")
        for number, s in enumerate(talks("r", 300, failing=0.3, opinion=honest))
    ]

    assert predicted(few, talks("w", 50, failing=0.3, opinion=silent)) is None


def test_while_nothing_changes_predictions_of_both_sides_are_alike() -> None:
    p_values = []
    for number in range(40):
        sides = predicted(
            talks(f"r{number}", 200, failing=0.3, opinion=honest),
            talks(f"w{number}", 60, failing=0.3, opinion=silent),
        )
        if sides is not None:
            p_values.append(ks_2samp(*sides).pvalue)

    assert len(p_values) > 30
    assert np.mean(np.array(p_values) <= 0.1) <= 0.2


def test_a_window_in_which_nobody_says_anything_has_drifted_where_satisfaction_must_have_fallen() -> None:
    reference = a_reference(talks("r", 400, failing=0.2, opinion=honest))
    window = a_window(talks("w", 100, failing=0.8, opinion=silent))

    verdict = ColumnsMonitor().judge(window, reference)

    assert verdict.finding is Finding.DRIFT
    assert "predicted_satisfaction 0.4" in verdict.reason


def test_where_it_can_t_be_told_it_is_missing() -> None:
    past, current = describe_both(
        talks("r", 20, failing=0, opinion=silent), talks("w", 5, failing=0, opinion=silent)
    )

    assert past[PREDICTED].isna().all()
    assert current[PREDICTED].isna().all()
