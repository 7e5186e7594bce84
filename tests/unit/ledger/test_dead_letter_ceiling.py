import pytest

from daemon.config.settings import DeadLettersSection
from daemon.ledger.dead_letter_ceiling import ceiling_ratio, halt_reason

DEAD, KEPT = True, False
CEILING = DeadLettersSection(max_share=0.5, among=100, max_run=20)


@pytest.mark.parametrize(
    "outcomes",
    [
        [],
        [DEAD] * 19,
        [DEAD] * 19 + [KEPT] + [DEAD] * 10 + [KEPT] * 70,
        [DEAD, KEPT] * 50,
        [KEPT] * 1000,
        [KEPT] * 100 + [DEAD] * 1000,  # long ago
    ],
)
def test_below_the_ceiling_intake_goes_on(outcomes: list[bool]) -> None:
    assert halt_reason(outcomes, CEILING) is None


def test_a_run_of_dead_letters_crosses_it() -> None:
    assert (
        halt_reason([DEAD] * 20 + [KEPT] * 80, CEILING)
        == "the last 20 records in a row can't be used (ceiling: 20)"
    )


def test_too_large_a_share_crosses_it() -> None:
    reason = halt_reason([KEPT, DEAD, DEAD] * 40, CEILING)

    assert reason == "66 of the last 100 records can't be used (ceiling: 50%)"


@pytest.mark.parametrize(
    ("outcomes", "ratio"),
    [
        ([], 0.0),
        ([KEPT] * 1000, 0.0),
        ([DEAD] * 10, 0.5),
        ([DEAD] * 5 + [KEPT] * 95, 0.25),
        ([KEPT] + [DEAD] * 10 + [KEPT] * 89, 0.2),  # of the share: there are too few for the limit in a row
        ([DEAD, KEPT] * 50, 1.0),  # at the share, which halts when it is exceeded
        ([KEPT] * 100 + [DEAD] * 1000, 0.0),  # long ago
    ],
)
def test_the_ratio_says_how_near_the_ceiling_is(outcomes: list[bool], ratio: float) -> None:
    assert ceiling_ratio(outcomes, CEILING) == pytest.approx(ratio)


@pytest.mark.parametrize("outcomes", [[DEAD] * 20 + [KEPT] * 80, [KEPT, DEAD, DEAD] * 40])
def test_at_1_intake_halts(outcomes: list[bool]) -> None:
    assert ceiling_ratio(outcomes, CEILING) >= 1.0
