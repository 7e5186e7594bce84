from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.domain.left_out import NO_PAIR, ONE_SIDED
from daemon.domain.lessons import LessonKind, LessonRules
from daemon.training.new_lessons import count_new_lessons
from tests.factories.daemon import line_settings

DEMONSTRATION, CORRECTION, DISLIKED = (
    LessonKind.DEMONSTRATION,
    LessonKind.CORRECTION,
    LessonKind.DISLIKED,
)


@dataclass(frozen=True, slots=True)
class Counts:
    """A ledger that has these lessons."""

    counts: Mapping[LessonKind, int]

    def lesson_counts(
        self, rules: LessonRules, *, held_out: bool, since: int = 1, before: int | None = None
    ) -> Mapping[LessonKind, int]:
        return self.counts


@pytest.mark.parametrize(
    ("method", "counts", "count"),
    [
        ("lora", {DEMONSTRATION: 30, DISLIKED: 5}, 30),
        ("dpo", {DEMONSTRATION: 30, CORRECTION: 1}, 31),
        ("dpo", {DEMONSTRATION: 30, DISLIKED: 5}, 0),
        ("kto", {DEMONSTRATION: 30, DISLIKED: 5}, 35),
        ("kto", {CORRECTION: 30}, 30),
        ("kto", {DEMONSTRATION: 30}, 0),
        ("kto", {DISLIKED: 30}, 0),
    ],
)
def test_lessons_count_once_there_is_all_that_the_method_compares(
    tmp_path: Path, method: str, counts: Mapping[LessonKind, int], count: int
) -> None:
    settings = line_settings(tmp_path, learning={"method": method})

    assert count_new_lessons(Counts(counts), settings, since=1).count == count


@pytest.mark.parametrize(("method", "reason"), [("dpo", NO_PAIR), ("kto", ONE_SIDED)])
def test_lessons_that_wait_for_others_are_named(tmp_path: Path, method: str, reason: str) -> None:
    settings = line_settings(tmp_path, learning={"method": method})

    found = count_new_lessons(Counts({DEMONSTRATION: 30}), settings, since=1)

    assert found.besides == {reason: 30}
    assert found.problem is not None
    assert f"30 {reason}" in found.problem
