from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from learners.errors import AnswersCut, EndNotLearned, NoTargets, TooManySkipped
from learners.training.learnable import check_learnable, left_out_answers, skipped_lines

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


def test_mostly_cut_answers_are_refused() -> None:
    with pytest.raises(AnswersCut, match="2 of 3"):
        check(LEARNED, CUT, CUT)
