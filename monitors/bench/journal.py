"""Keeps the figures of an unfinished benchmark, so that an interrupted one goes on where it stopped."""

from collections.abc import Sequence

from monitors.bench.cost import DetectorCost
from monitors.bench.term_precision import TermPrecision
from monitors.bench.trials import Outcome


class Journal:
    """The figures measured so far, in memory."""

    def __init__(self) -> None:
        self.cost: DetectorCost | None = None
        self.named: tuple[TermPrecision, ...] | None = None
        #: By the place of the trial in the plan.
        self.outcomes: dict[int, Sequence[Outcome]] = {}

    def keep_cost(self, cost: DetectorCost) -> None:
        """Keep the cost of our detector."""
        self.cost = cost

    def keep_named(self, named: tuple[TermPrecision, ...]) -> None:
        """Keep the precision of the terms that explanations name."""
        self.named = named

    def keep_outcomes(self, place: int, outcomes: Sequence[Outcome]) -> None:
        """Keep the outcomes of a trial."""
        self.outcomes[place] = outcomes
