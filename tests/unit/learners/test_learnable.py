from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from learners.errors import AnswersCut, EndNotLearned, NoPairs, NoTargets, OneSided, TooManySkipped
from learners.training.learnable import (
    check_learnable,
    check_pairs,
    check_sides,
    left_out_answers,
    skipped_lines,
)

END = 9


@dataclass(frozen=True, slots=True)
class ARow:
    ids: tuple[int, ...]
    targets: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class ALine:
    rows: tuple[ARow, ...] = ()
    skipped: str | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    avoided: tuple[ARow, ...] = ()

    @property
    def imitated(self) -> tuple[ARow, ...]:
        return tuple(row for row in self.rows if row not in self.avoided)


LEARNED = ALine(rows=(ARow((1, 2, END), (False, True, True)),))
CUT = ALine(rows=(ARow((1, 2, 3), (False, True, True)),))
ENDS_BY_ITSELF = ALine(rows=(ARow((1, 2, END), (False, True, False)),))
WITHOUT_TARGET = ALine(rows=(ARow((1, 2, END), (False, False, False)),))
REFUSED = ALine(skipped="refused by the chat template")
TOO_LONG = ALine(skipped="longer than max_tokens")


def check(*lines: ALine, max_skipped: float = 0.5) -> None:
    check_learnable(lines, ends=[END], max_skipped=max_skipped)


def test_skipped_lines_are_known_by_their_place() -> None:
    assert skipped_lines([REFUSED, LEARNED, TOO_LONG, REFUSED, WITHOUT_TARGET]) == {
        "longer than max_tokens": (2,),
        "no target": (4,),
        "refused by the chat template": (0, 3),
    }


def test_answers_left_out_of_learned_conversations_are_counted() -> None:
    partly = ALine(rows=LEARNED.rows, left_out={"longer than max_tokens": 2})
    lost = ALine(skipped="longer than max_tokens", left_out={"longer than max_tokens": 1})

    assert left_out_answers([partly, LEARNED, lost, partly]) == {"longer than max_tokens": 4}


def test_what_teaches_answers_and_their_ends_is_taken() -> None:
    check(LEARNED, LEARNED, CUT, REFUSED)


@pytest.mark.parametrize(
    "lines", [(), (REFUSED,), (WITHOUT_TARGET, WITHOUT_TARGET), (REFUSED, WITHOUT_TARGET)]
)
def test_nothing_to_learn_is_refused(lines: tuple[ALine, ...]) -> None:
    with pytest.raises(NoTargets, match="doctor"):
        check(*lines, max_skipped=1.0)


def test_as_many_as_allowed_may_be_skipped_and_one_more_not() -> None:
    check(LEARNED, LEARNED, REFUSED, TOO_LONG)

    with pytest.raises(
        TooManySkipped,
        match=r"3 of 5 conversations can't be learned \(1 longer than max_tokens, 2 refused .*at most 50%",
    ):
        check(LEARNED, LEARNED, REFUSED, TOO_LONG, REFUSED)


@pytest.mark.parametrize("line", [CUT, ENDS_BY_ITSELF])
def test_a_model_that_would_never_learn_to_stop_is_refused(line: ALine) -> None:
    with pytest.raises(EndNotLearned, match="never to stop"):
        check(line, line)


def test_ends_of_answers_that_are_avoided_do_not_count() -> None:
    disliked = ALine(rows=LEARNED.rows, avoided=LEARNED.rows)

    check(disliked, disliked)
    with pytest.raises(EndNotLearned, match="none of 1 "):
        check(disliked, CUT)


def test_mostly_cut_answers_are_refused() -> None:
    with pytest.raises(AnswersCut, match="2 of 3"):
        check(LEARNED, CUT, CUT)


AVOIDED = ALine(rows=LEARNED.rows, avoided=LEARNED.rows)
PAIR = ALine(rows=(*LEARNED.rows, *CUT.rows), avoided=CUT.rows)


def test_only_a_line_with_both_answers_is_a_pair() -> None:
    check_pairs([LEARNED, PAIR])

    with pytest.raises(NoPairs, match="none of 2 "):
        check_pairs([LEARNED, AVOIDED])


@pytest.mark.parametrize(("lines", "missing"), [([LEARNED, LEARNED], "avoid"), ([AVOIDED], "imitate")])
def test_answers_of_one_kind_alone_are_refused(lines: list[ALine], missing: str) -> None:
    with pytest.raises(OneSided, match=f"an answer to {missing}"):
        check_sides(lines)


@pytest.mark.parametrize("lines", [[PAIR], [LEARNED, AVOIDED]])
def test_both_kinds_may_stand_in_one_line_or_in_two(lines: list[ALine]) -> None:
    check_sides(lines)
