"""What may be spent in a day."""

from datetime import UTC, datetime, timedelta

import pytest

from daemon.config.sections.teacher import TeacherSection
from daemon.domain.teaching import Reply, TeacherOutcome, TeacherSpending
from daemon.teaching.budget import TeacherBudget, budget_day, next_budget

BUDGET = TeacherBudget(calls=3, money=1.0, per_million_input=100_000.0, per_million_output=1_000_000.0)
MESSAGES = [{"role": "user", "content": "four"}]


def test_the_settings_state_it() -> None:
    teacher = TeacherSection(
        url="https://api.example.com", model="large", calls_a_day=7, money_a_day=2,
        price_per_million_input_tokens=0.5, price_per_million_output_tokens=1.5,
    )  # fmt: skip

    assert TeacherBudget.of(teacher) == TeacherBudget(
        calls=7, money=2.0, per_million_input=0.5, per_million_output=1.5
    )


@pytest.mark.parametrize(
    ("calls", "money", "most", "allowed"),
    [
        (0, 0.0, 0.5, True),
        (2, 0.5, 0.5, True),
        (3, 0.0, 0.0, False),
        (2, 0.6, 0.5, False),
        (0, 0.0, 1.5, False),
    ],
)
def test_a_call_that_may_exceed_it_is_not_made(calls: int, money: float, most: float, allowed: bool) -> None:
    assert BUDGET.allows(TeacherSpending(calls=calls, money=money), most) is allowed


def test_without_a_limit_of_money_calls_alone_count() -> None:
    budget = TeacherBudget(calls=3, money=None, per_million_input=1.0, per_million_output=1.0)
    spent = TeacherSpending(calls=2, money=1e9)

    assert budget.allows(spent, 1e9)
    assert (budget.calls_left(spent), budget.money_left(spent)) == (1, None)


def test_what_is_left_is_never_negative() -> None:
    spent = TeacherSpending(calls=5, money=9.0)

    assert (BUDGET.calls_left(spent), BUDGET.money_left(spent)) == (0, 0.0)


@pytest.mark.parametrize(
    ("reply", "cost"),
    [
        (Reply(outcome=TeacherOutcome.ANSWERED, input_tokens=10, output_tokens=2), 1.0 + 2.0),
        (Reply(outcome=TeacherOutcome.CUT_OFF, input_tokens=10, output_tokens=8), 1.0 + 8.0),
        (Reply(outcome=TeacherOutcome.ANSWERED), 2.0 + 8.0),
        (Reply(outcome=TeacherOutcome.TIMEOUT), 2.0 + 8.0),
        (Reply(outcome=TeacherOutcome.RATE_LIMITED), 0.0),
        (Reply(outcome=TeacherOutcome.UNREACHABLE), 0.0),
        (Reply(outcome=TeacherOutcome.SERVER_ERROR), 0.0),
    ],
)
def test_what_is_not_known_costs_the_most_that_it_can(reply: Reply, cost: float) -> None:
    """Four bytes and a turn are at most twenty tokens, the answer at most eight."""
    assert BUDGET.cost(reply, MESSAGES, 8) == pytest.approx(cost)
    assert BUDGET.most(MESSAGES, 8) == pytest.approx(10.0)


def test_a_day_begins_at_midnight_utc_wherever_the_clock_is() -> None:
    evening = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)

    since, until = budget_day(evening)

    assert since == datetime(2026, 11, 30, tzinfo=UTC)
    assert next_budget(evening) == datetime(2026, 12, 1, tzinfo=UTC)
    assert until > evening + timedelta(hours=24)  # a clock that is set back over midnight finds what it spent
