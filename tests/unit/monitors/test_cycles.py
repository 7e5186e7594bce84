from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitors.cycles import KnownTimes, match_time_of_day
from monitors.times import spanned_days, trimmed_range
from monitors.types import Sample
from tests.factories.monitors import a_sample

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)


def samples(hours: list[float], *, prefix: str = "s") -> list[Sample]:
    """One for each of the hours since a midnight."""
    return [
        replace(a_sample(f"{prefix}{n}", "?"), at=MIDNIGHT + timedelta(hours=hour))
        for n, hour in enumerate(hours)
    ]


def hours_of(found: tuple[Sample, ...]) -> set[int]:
    return {sample.at.hour for sample in found}


def test_a_wrong_clock_proves_no_span() -> None:
    times = [MIDNIGHT + timedelta(minutes=n) for n in range(198)]

    assert trimmed_range([*times, MIDNIGHT - timedelta(days=900), MIDNIGHT + timedelta(days=1)]) == (
        times[1],
        times[-2],
    )
    assert trimmed_range([7]) == (7, 7)


def test_the_span_is_told_in_days() -> None:
    assert spanned_days(samples([0, 36])) == 1.5
    assert spanned_days([]) == 0.0


@pytest.mark.parametrize(
    ("hour", "known"), [(9, True), (20.5, True), (21.5, False), (6.5, False), (33, True)]
)
def test_a_time_of_the_day_is_known_within_an_hour_of_enough_conversations(hour: float, known: bool) -> None:
    times = [sample.at for sample in samples([8 + n / 20 for n in range(240)])]  # from 8 to 20 o'clock

    assert (MIDNIGHT + timedelta(hours=hour) in KnownTimes(times)) is known


def test_one_conversation_at_night_makes_no_night() -> None:
    times = [sample.at for sample in samples([9 + n / 100 for n in range(500)])]
    at_three = MIDNIGHT + timedelta(hours=3)

    assert at_three not in KnownTimes([*times, at_three])


def test_a_window_of_an_hour_is_compared_with_that_part_of_the_day() -> None:
    week = samples([n / 3 for n in range(7 * 24 * 3)])
    window = samples([24 * 9 + 10 + n / 100 for n in range(100)], prefix="w")

    found = match_time_of_day(window, week)

    assert {8, 9, 10, 11, 12} <= hours_of(found) <= {7, 8, 9, 10, 11, 12, 13}
    assert len(found) >= 100


def test_a_window_of_a_whole_day_is_compared_with_all_but_a_few() -> None:
    week = samples([n / 3 for n in range(7 * 24 * 3)])
    window = samples([24 * 9 + n * 0.24 for n in range(100)], prefix="w")

    assert len(match_time_of_day(window, week)) >= 0.9 * len(week)


def test_a_window_that_is_mostly_of_the_morning_has_mostly_mornings_to_compare_with() -> None:
    week = samples([n / 3 for n in range(7 * 24 * 3)])
    window = samples([*(8 + n / 80 for n in range(80)), *(20 + n / 20 for n in range(20))], prefix="w")

    found = match_time_of_day(window, week)

    mornings = sum(5 <= sample.at.hour < 12 for sample in found)
    assert 0.75 <= mornings / len(found) <= 0.85


def test_an_unknown_time_of_the_day_has_nothing_to_compare_with() -> None:
    morning = samples([8 + n / 100 for n in range(400)])

    assert match_time_of_day(samples([20 + n / 100 for n in range(100)], prefix="w"), morning) == ()
    assert match_time_of_day([], morning) == ()


def test_it_does_not_depend_on_the_order() -> None:
    week = samples([n / 3 for n in range(7 * 24 * 3)])
    window = samples([24 * 9 + 10 + n / 100 for n in range(100)], prefix="w")

    assert match_time_of_day(window[::-1], week[::-1]) == match_time_of_day(window, week)
