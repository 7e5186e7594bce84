import pytest

from daemon.config.settings import DeadLettersSection
from daemon.ledger.dead_letter_ceiling import halt_reason

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
