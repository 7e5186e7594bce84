"""Tests with a permutation test whether users' texts changed; the test is a metric of Evidently's report."""

from dataclasses import dataclass, field

from monitors.false_alarm_rate import false_alarm_level
from monitors.sample_requirements import SampleRequirements, inconclusive, insufficient_evidence
from monitors.types import Finding, Reference, Verdict, Window
from monitors.window.engine import Metric, lte, run
from monitors.window.text_discrepancy import (
    GROUP,
    TEXT,
    TextDiscrepancy,
    TextDiscrepancyValue,
    text_columns,
)

NAME = "mmd"
THRESHOLD = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TextDiscrepancyMonitor:
    """Finds DRIFT where users' texts differ, at ``level`` or else at the declared false-alarm rate."""

    name: str = NAME
    conversations_between_false_alarms: int = 20_000
    permutations: int = 1_999
    seed: int = 0
    minimum: SampleRequirements = field(default_factory=SampleRequirements)
    level: float | None = None  # None: the level of the declared rate

    def judge(self, window: Window, reference: Reference) -> Verdict:
        """Judge through Evidently's report; its number is the verdict's score."""
        missing = insufficient_evidence(self.name, window, reference, self.minimum, threshold=THRESHOLD)
        if missing is not None:
            return missing
        past, current = text_columns(reference, window)
        if not (current[TEXT].str.strip().any() and past[TEXT].str.strip().any()):
            return inconclusive(self.name, window, "no user said anything", threshold=THRESHOLD)
        snapshot = run([self.metric(window)], window=current, reference=past)
        (value,) = snapshot.metric_results.values()
        return self._verdict(window, value)

    def metric(self, window: Window) -> Metric:
        """Return the metric for an Evidently report over ``text_columns``."""
        return TextDiscrepancy(
            column=TEXT,
            group_column=GROUP,
            level=self._level(window),
            permutations=self.permutations,
            seed=self.seed,
            tests=[lte(THRESHOLD)],
        )

    def _level(self, window: Window) -> float:
        return self.level or false_alarm_level(window, self.conversations_between_false_alarms)

    def _verdict(self, window: Window, value: TextDiscrepancyValue) -> Verdict:
        level = self._level(window)
        drifted = value.value > THRESHOLD
        numbers = f"score {value.value:.2f}, alarm above 1; p = {value.p_value:.5f}, level {level:.5f}"
        return Verdict(
            monitor=self.name,
            window_id=window.id,
            finding=Finding.DRIFT if drifted else Finding.STABLE,
            score=float(value.value),
            threshold=THRESHOLD,
            reason=f"users say {'other things than' if drifted else 'the same as'} in the reference ({numbers})",
            numbers={
                "p_value": value.p_value,
                "level": level,
                "mmd2": value.mmd2,
                "critical": value.critical,
                "permutations": float(value.permutations),
            },
        )
