from datetime import timedelta

import pytest

from daemon.cli.render.formatting import ago, duration, number, printable, size, source_lines
from registry.types import OffsetRange
from tests.factories.daemon import START


def test_texts_from_outside_can_not_steer_the_terminal() -> None:
    assert printable("c1\x1b[2J\r退款") == "c1\ufffd[2J\ufffd退款"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (70, "1 min 10 s"), (3_700, "1 h 1 min"), (200_000, "2 days 7 h")],
)
def test_durations_have_the_two_units_that_matter(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_clock_that_was_set_back_shows_no_negative_age() -> None:
    assert ago(START, START + timedelta(hours=1)) == "0 s ago"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 40, "3.0 TiB")]
)
def test_sizes_have_binary_units(count: int, text: str) -> None:
    assert size(count) == text


def test_a_figure_that_is_not_known_is_a_question_mark() -> None:
    assert (number(None), number(0.123456)) == ("?", "0.1235")


def test_offset_ranges_are_summed_up_by_partition() -> None:
    ranges = [
        OffsetRange(topic="t", partition=partition, first=first, last=last)
        for partition, first, last in ((1, 5, 9), (0, 0, 3), (1, 11, 11))
    ]

    assert source_lines(ranges) == [
        "t/0: 4 records within offsets 0 to 3",
        "t/1: 6 records within offsets 5 to 11",
    ]
