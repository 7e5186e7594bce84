"""What a teacher may still be asked today. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from daemon.config.sections.teacher import TeacherSection
from daemon.domain.teaching import Reply, TeacherSpending

_DAY = timedelta(days=1)
#: Tokens that a chat template adds to each message, at most.
_TOKENS_OF_A_TURN = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherBudget:
    """Limits of a day of UTC, and what tokens cost."""

    calls: int
    money: float | None  # None: calls alone limit
    per_million_input: float
    per_million_output: float

    @classmethod
    def of(cls, teacher: TeacherSection) -> "TeacherBudget":
        """Return the budget that the settings state."""
        return cls(
            calls=teacher.calls_a_day,
            money=teacher.money_a_day,
            per_million_input=teacher.price_per_million_input_tokens,
            per_million_output=teacher.price_per_million_output_tokens,
        )

    def price(self, input_tokens: int, output_tokens: int) -> float:
        """Return what so many tokens cost."""
        return (input_tokens * self.per_million_input + output_tokens * self.per_million_output) / 1e6

    def most(self, messages: Sequence[Mapping[str, str]], max_tokens: int) -> float:
        """Return the most that a call can cost, whatever the tokenizer: a token has at least a byte."""
        return self.price(_most_tokens(messages), max_tokens)

    def cost(self, reply: Reply, messages: Sequence[Mapping[str, str]], max_tokens: int) -> float:
        """Return what a call cost; where the endpoint does not say and may have charged for it, the most it can be."""
        counted = (reply.input_tokens, reply.output_tokens)
        if counted == (None, None) and not reply.outcome.may_cost:
            return 0.0
        taken, written = counted
        return self.price(
            _most_tokens(messages) if taken is None else taken, max_tokens if written is None else written
        )

    def allows(self, spent: TeacherSpending, most: float) -> bool:
        """Return whether a call that may cost ``most`` stays within the budget."""
        if spent.calls >= self.calls:
            return False
        return self.money is None or spent.money + most <= self.money

    def money_left(self, spent: TeacherSpending) -> float | None:
        """Return what may still be spent; None: there is no limit."""
        return None if self.money is None else max(0.0, self.money - spent.money)

    def calls_left(self, spent: TeacherSpending) -> int:
        """Return how many calls may still be made."""
        return max(0, self.calls - spent.calls)


def budget_day(now: datetime) -> tuple[datetime, datetime]:
    """Return the span of calls that the budget of today counts: since midnight UTC, and a day into the future.

    A clock that is set back finds the calls of the day before which it stood, so that nothing is spent twice; calls that a
    wrong clock dated farther ahead do not count for ever.
    """
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight, midnight + 2 * _DAY


def next_budget(now: datetime) -> datetime:
    """Return when the next budget begins."""
    return budget_day(now)[0] + _DAY


def _most_tokens(messages: Sequence[Mapping[str, str]]) -> int:
    return sum(len(message["content"].encode()) + _TOKENS_OF_A_TURN for message in messages)
