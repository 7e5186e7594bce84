"""The least number for which something holds is found from any guess, with few calls near a good one."""

import pytest

from learners.encoding.least import least


@pytest.mark.parametrize("most", [0, 1, 7, 40])
def test_it_is_found_from_any_guess(most: int) -> None:
    for answer in range(most + 2):
        for guess in range(most + 1):
            found = least(lambda number, answer=answer: number >= answer, guess=guess, most=most)  # type: ignore[misc]
            assert found == (answer if answer <= most else None)


def test_a_good_guess_costs_few_calls() -> None:
    calls: list[int] = []

    def holds(number: int) -> bool:
        calls.append(number)
        return number >= 501

    assert least(holds, guess=500, most=1000) == 501
    assert len(calls) == 2
