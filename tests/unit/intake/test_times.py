import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.conversation import JSON
from daemon.intake.times import NoTimeOfDay, moment

NINE = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SECONDS = int(NINE.timestamp())


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-20T09:00:00Z",
        "2026-11-20T09:00:00z",
        "2026-11-20t09:00:00Z",
        "2026-11-20T09:00:00",
        "2026-11-20T09:00",
        "2026-11-20 09:00:00",
        " 2026-11-20 09:00:00 ",
        "2026-11-20T09:00:00.000000000Z",
        "2026-11-20T09:00:00,000Z",
        "2026-11-20T10:00:00+01:00",
        "2026-11-20T10:00:00+0100",
        "2026-11-20T10:00:00+01",
        "2026-11-20T09:00:00+0000",
        "2026-11-20 09:00:00 UTC",
        "2026-11-20T09:00:00 GMT",
        "2026-11-20 09:00:00 +0000 UTC",
        "2026-11-20 09:00:00.000000001 +0000 UTC m=+0.002",
        "2026-11-20T10:00+01:00[Europe/Berlin]",
        "2026-11-20T09:00:00Z[UTC]",
        "20261120T090000Z",
        "Fri, 20 Nov 2026 09:00:00 GMT",
        "Fri, 20 Nov 2026 10:00:00 +0100",
        SECONDS,
        float(SECONDS),
        str(SECONDS),
        f"{SECONDS}.0",
        SECONDS * 1_000,
        str(SECONDS * 1_000),
        SECONDS * 1_000_000,
        SECONDS * 1_000_000_000,
        SECONDS * 1_000_000_000 + 1,
        {"$date": "2026-11-20T09:00:00Z"},
        {"$date": SECONDS * 1_000},
        {"$date": {"$numberLong": str(SECONDS * 1_000)}},
        {"$numberLong": str(SECONDS * 1_000)},
        {"$timestamp": {"t": SECONDS, "i": 1}},
        {"seconds": SECONDS, "nanos": 1},
        {"seconds": str(SECONDS)},
        {"_seconds": SECONDS, "_nanoseconds": 0},
        [2026, 11, 20, 9, 0],
        [2026, 11, 20, 9, 0, 0],
        [2026, 11, 20, 9, 0, 0, 999],
    ],
)
def test_every_way_to_write_a_time_means_the_same_instant(written: JSON) -> None:
    assert moment(written) == NINE


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("2026-11-20T09:00:00.5Z", 500_000),
        ("2026-11-20T09:00:00.123456789Z", 123_456),
        ("2026-11-20T09:00:00.0000019+00:00", 1),
        (SECONDS + 0.25, 250_000),
        (SECONDS * 1_000 + 7, 7_000),
        (SECONDS * 1_000_000 + 7, 7),
        (SECONDS * 10**9 + 7_999, 7),
        ([2026, 11, 20, 9, 0, 0, 7_999], 7),
        ({"seconds": SECONDS, "nanos": 7_999}, 7),
    ],
)
def test_fractions_of_a_second_are_kept_to_the_microsecond(written: JSON, micros: int) -> None:
    assert moment(written) == NINE + timedelta(microseconds=micros)


@pytest.mark.parametrize("written", ["2026-11-20", "20261120", "2026-W47-5", [2026, 11, 20]])
def test_a_day_is_no_time(written: JSON) -> None:
    with pytest.raises(NoTimeOfDay):
        moment(written)


@pytest.mark.parametrize(
    "written",
    ["yesterday", "", "20/11/2026 09:00", "11/20/2026 09:00:00", "Nov 20 09:00", "2026-13-01T00:00:00Z", -1, 1e300,
     "2026-11-20T25:00:00Z", "9" * 21, [2026, 11], [2026, 13, 1, 0, 0], [2026, 11, 20, 9, 0, "0"], [True] * 6,
     {"seconds": -1}],
)  # fmt: skip
def test_what_is_no_time_is_refused(written: JSON) -> None:
    with pytest.raises((ValueError, OverflowError)):
        moment(written)


@pytest.mark.parametrize(
    "written",
    [None, True, {}, {"$date": None}, {"$date": {"$date": {}}}, {"$timestamp": 1}, {"seconds": "?"}],
)
def test_some_values_mean_no_time_at_all(written: JSON) -> None:
    assert moment(written) is None


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**64), 2**64)
        | st.floats(allow_nan=False)
        | st.text(max_size=30),
        lambda inner: (
            st.lists(inner, max_size=8)
            | st.dictionaries(
                st.sampled_from(["$date", "$timestamp", "$numberLong", "seconds", "nanos", "t"]),
                inner,
                max_size=2,
            )
        ),
        max_leaves=8,
    )
)
def test_nothing_but_value_errors_is_raised(value: JSON) -> None:
    with contextlib.suppress(ValueError, OverflowError):
        found = moment(value)
        assert found is None or found.tzinfo is UTC


@given(st.integers(10**8 + 2 * 10**7, 4 * 10**9), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_any_unit_gives_the_second(second: int, unit: int) -> None:
    assert moment(second * unit) == datetime.fromtimestamp(second, UTC)
