"""How many conversations of one user count where two sides are compared."""

import random
from collections import Counter

from monitors.sample_requirements import balanced, group_limits
from monitors.types import Finding, Sample
from monitors.window.mmd import TextDiscrepancyMonitor
from tests.factories.monitors import a_reference, a_sample, a_window


def traffic(name: str, count: int, *, regulars: int) -> list[Sample]:
    """Half of all is said by a few regulars, who talk about other things than those who come once."""
    draw = random.Random(name)
    found = []
    for number in range(count):
        regular = draw.random() < 0.5
        user = f"regular {draw.randrange(regulars)}" if regular else f"{name} {number}"
        words = ["loan", "fee", "bank", "card"] if regular else ["tea", "leaf", "pot", "cup"]
        found.append(a_sample(f"{name}{number}", " ".join(draw.choices(words, k=6)), group=user))
    return found


def test_as_many_of_a_user_count_in_proportion_to_the_sides() -> None:
    some, many = traffic("w", 100, regulars=2), traffic("r", 500, regulars=2)

    assert group_limits(many, some, 3) == (15, 3)
    assert group_limits(some, many, 1) == (1, 5)
    assert group_limits(some, [], 3) == (300, 3)
    past, current = balanced(many, some, 3)
    assert Counter(sample.group for sample in past)["regular 0"] == 15
    assert Counter(sample.group for sample in current)["regular 1"] == 3


def test_regulars_with_their_own_topics_are_no_change() -> None:
    """Three of a user on either side were 30 of 280 and 30 of 80: a change that is none, found every time."""
    found = [
        TextDiscrepancyMonitor(level=0.05 / 3).judge(
            a_window(traffic(f"w{n}", 100, regulars=10)), a_reference(traffic(f"r{n}", 500, regulars=10))
        )
        for n in range(6)
    ]

    assert [verdict.finding for verdict in found].count(Finding.DRIFT) <= 1
