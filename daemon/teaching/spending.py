"""Watches the budget of the day."""

from datetime import datetime, timedelta

from daemon.domain.clock import Interval
from daemon.domain.teaching import TeacherSpending
from daemon.ledger.teacher import TeacherLedger
from daemon.teaching.budget import TeacherBudget, budget_day
from daemon.teaching.question import Question

#: Between two looks at a budget that is used up: it may be a new day, or the clock was set.
_AGAIN = timedelta(seconds=30)


class Spending:
    """Says whether a call may begin, from what the ledger has of the day."""

    def __init__(self, ledger: TeacherLedger, budget: TeacherBudget) -> None:
        self._ledger = ledger
        self.budget = budget
        self._used_up = Interval(_AGAIN)
        self._refused = False

    def allows(self, question: Question, now: datetime) -> bool:
        """Return whether a call stays within the budget, whatever it costs."""
        if self._refused and not self._used_up.is_due(now):
            return False
        most = self.budget.most(question.messages, question.max_tokens)
        self._refused = not self.budget.allows(self.today(now), most)
        if self._refused:
            self._used_up.start(now)
        return not self._refused

    def today(self, now: datetime) -> TeacherSpending:
        """Return what is spent of the budget of today."""
        return self._ledger.spent(*budget_day(now))
