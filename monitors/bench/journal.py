"""What a benchmark has measured so far, so that one that was cut off goes on where it stopped."""

from collections.abc import Sequence

from monitors.bench.expense import Expense
from monitors.bench.naming import Named
from monitors.bench.trials import Outcome


class Journal:
    """Figures as they come. This one forgets them with the process."""

    def __init__(self) -> None:
        self.expense: Expense | None = None
        self.named: tuple[Named, ...] | None = None
        #: By the place of their trial in the plan.
        self.outcomes: dict[int, Sequence[Outcome]] = {}

    def keep_expense(self, expense: Expense) -> None:
        """Keep what our detector costs."""
        self.expense = expense

    def keep_named(self, named: tuple[Named, ...]) -> None:
        """Keep how often explanations name what is new."""
        self.named = named

    def keep_outcomes(self, place: int, outcomes: Sequence[Outcome]) -> None:
        """Keep what all detectors did in a trial."""
        self.outcomes[place] = outcomes
