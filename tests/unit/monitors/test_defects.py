"""What is wrong with a conversation as data, in any script, and what is not."""

import time

import pytest

from monitors.defects import defects_of
from tests.factories.monitors import a_sample

LONG = "Here is what I found for you, and I hope that it answers what you wanted to know. "


def found(asked: str, replied: str) -> set[str]:
    return {name for name, has in defects_of(a_sample("1", asked, replied=replied)).items() if has}


@pytest.mark.parametrize(
    "replied",
    [
        LONG + "The order number of the parcel that you asked for is",
        "您好，" * 40 + "您的订单正在",
        LONG + "\nAnd after the list it stops in the middle of a",
    ],
)
def test_a_long_reply_that_ends_in_the_middle_is_cut_off(replied: str) -> None:
    assert found("hi", replied) == {"cut off"}


@pytest.mark.parametrize(
    "replied",
    [
        LONG,
        LONG + "\n- tea\n- coffee",
        LONG + "\n1. tea\n2. coffee",
        LONG + "\n1、红茶\n2、绿茶",
        LONG + "See https://example.org/help/orders",
        LONG + "Write to help@example.org",
        "สวัสดีครับ คำสั่งซื้อของคุณกำลังจัดส่งและจะถึงในวันพรุ่งนี้ " * 2 + "ขอบคุณที่ใช้บริการของเรา",
        "ok",
    ],
)
def test_lists_addresses_short_replies_and_scripts_without_stops_end_without_one(replied: str) -> None:
    assert found("hi", replied) == set()


def test_a_reply_of_nothing_but_signs_takes_no_time() -> None:
    started = time.process_time()

    assert found("hi", "@" * 31_900 + " b") == {"cut off"}

    assert time.process_time() - started < 0.5


def test_nothing_said_and_nothing_answered_is_told() -> None:
    assert found("", "ok") == {"empty"}
    assert found("hi", " ") == {"empty", "no reply"}
    assert found("hi", "HI") == {"repeated"}
