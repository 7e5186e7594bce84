"""Metrics of the teacher."""

from typing import Literal, TypeAlias, get_args

from daemon.domain.teaching import TeacherOutcome, TeacherPurpose
from daemon.telemetry.instruments import Counter, GaugeReadings, LabelledMetric, MetricFactory

#: What calls become that no process saw end.
_LATER = (TeacherOutcome.UNFINISHED, TeacherOutcome.DISCARDED)

TokenDirection: TypeAlias = Literal["input", "output"]


class TeacherMetrics:
    """Metrics of calls to the teacher. The currency is that of the prices in the settings."""

    def __init__(self, factory: MetricFactory) -> None:
        self.calls: LabelledMetric[Counter, TeacherPurpose, TeacherOutcome] = LabelledMetric(
            factory.counter(
                "retuned_teacher_calls_total",
                "Calls of the teacher, by purpose and outcome.",
                purpose=TeacherPurpose,
                outcome=[outcome for outcome in TeacherOutcome if outcome not in _LATER],
            )
        )
        self.tokens: LabelledMetric[Counter, TokenDirection] = LabelledMetric(
            factory.counter(
                "retuned_teacher_tokens_total",
                "Tokens of the teacher, as its endpoint counts them.",
                direction=get_args(TokenDirection),
            )
        )
        self.cost = factory.counter(
            "retuned_teacher_cost_total",
            "What the teacher's calls cost, by the prices in the settings. Of a call that nobody knows the cost of, the most.",
        )
        self._calls_left: GaugeReadings[()] = factory.readings(
            "retuned_teacher_budget_left_calls", "Calls that the budget of today still allows."
        )
        self._money_left: GaugeReadings[()] = factory.readings(
            "retuned_teacher_budget_left_money",
            "Money that the budget of today still allows. Absent without teacher.money_a_day.",
        )
        self._failing_since: GaugeReadings[()] = factory.readings(
            "retuned_teacher_failing_since_timestamp_seconds",
            "When the first of several calls failed since the last answer. Absent while the teacher answers.",
            unit="seconds",
        )

    def left(self, calls: int, money: float | None) -> None:
        """Show what is left of the budget."""
        self._calls_left.replace({(): calls})
        self._money_left.replace({} if money is None else {(): money})

    def failing_since(self, timestamp: float | None) -> None:
        """Show since when the teacher fails; None: it works."""
        self._failing_since.replace({} if timestamp is None else {(): timestamp})

    def silent(self) -> None:
        """Show nothing of the teacher: another replica asks it."""
        for readings in (self._calls_left, self._money_left, self._failing_since):
            readings.replace({})
