"""Tests each descriptor of conversations with Evidently, corrected for the number of tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from scipy.stats import chi2_contingency

from monitors.false_alarm_rate import false_alarm_level, score_of
from monitors.sample_requirements import SampleRequirements, group_limits, group_ranks, insufficient_evidence
from monitors.types import Finding, Reference, Verdict, Window
from monitors.window.descriptors import CATEGORICAL, NUMERIC, describe_both
from monitors.window.engine import ColumnType, Metric, StatTest, ValueDrift, register_stattest, run

NAME = "columns"
_HOMOGENEITY = "homogeneity"
#: Expected counts below this invalidate the chi-square distribution (Cochran's rule).
_MIN_EXPECTED = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnsMonitor:
    """Finds DRIFT where a descriptor's distribution differs, at the declared false-alarm rate over all descriptors.

    The rate is split evenly over the columns (Bonferroni), so that Evidently's report shows the same threshold. One
    conversation of each user counts, so that rows are independent. The score is -log10 of the smallest p-value.
    """

    name: str = NAME
    conversations_between_false_alarms: int = 20_000
    minimum: SampleRequirements = field(default_factory=SampleRequirements)

    def judge(self, window: Window, reference: Reference) -> Verdict:
        """Judge through Evidently's report; its numbers are the verdict's p-values."""
        threshold = score_of(self._column_level(window))
        missing = insufficient_evidence(self.name, window, reference, self.minimum, threshold=threshold)
        if missing is not None:
            return missing
        past, current = descriptor_columns(reference, window)
        metrics = self.metrics(window, current, past)
        snapshot = run(metrics, window=current, reference=past)
        p_values = {metric.column: snapshot.metric_results[metric.metric_id].value for metric in metrics}
        return self._verdict(window, {name: float(p) for name, p in p_values.items()}, current, past)

    def metrics(self, window: Window, current: pd.DataFrame, past: pd.DataFrame) -> Sequence[Metric]:
        """Return the metrics for an Evidently report over ``descriptor_columns``; columns without values have none."""
        level = self._column_level(window)
        return [
            ValueDrift(column=column, method=method, threshold=level)
            for columns, method in ((NUMERIC, "ks"), (CATEGORICAL, _HOMOGENEITY))
            for column in columns
            if current[column].notna().any() and past[column].notna().any()
        ]

    def _column_level(self, window: Window) -> float:
        columns = len(NUMERIC) + len(CATEGORICAL)
        return false_alarm_level(window, self.conversations_between_false_alarms) / columns

    def _verdict(
        self, window: Window, p_values: Mapping[str, float], current: pd.DataFrame, past: pd.DataFrame
    ) -> Verdict:
        level = self._column_level(window)
        changed = sorted((p, column) for column, p in p_values.items() if p <= level)
        smallest = min(p_values.values())
        reason = f"no descriptor changed (smallest p {smallest:.2g}, level {level:.2g} for each)"
        if changed:
            reason = "changed: " + ", ".join(_before_after(column, past, current) for _, column in changed)
        return Verdict(
            monitor=self.name,
            window_id=window.id,
            finding=Finding.DRIFT if changed else Finding.STABLE,
            score=score_of(smallest),
            threshold=score_of(level),
            reason=reason,
            numbers={f"p_{column}": p for column, p in p_values.items()},
        )


def descriptor_columns(reference: Reference, window: Window) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return each side's descriptors, with missing values in rows beyond a user's limit: one on the smaller side."""
    sides = reference.samples, window.samples
    past, current = (
        described.where(pd.Series(group_ranks(side)) < limit)
        for side, described, limit in zip(sides, describe_both(*sides), group_limits(*sides, 1), strict=True)
    )
    return past, current


def _before_after(column: str, past: pd.DataFrame, current: pd.DataFrame) -> str:
    if column in NUMERIC:
        return f"{column} {_short(past[column].mean())} -> {_short(current[column].mean())}"
    before, after = (side[column].value_counts(normalize=True) for side in (past, current))
    most = after.sub(before, fill_value=0).abs().idxmax()
    return f"{column} {most} {before.get(most, 0.0):.0%} -> {after.get(most, 0.0):.0%}"


def _short(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.2g}"


def _homogeneity(
    reference: pd.Series,
    current: pd.Series,
    feature_type: ColumnType,  # noqa: ARG001  Evidently's signature
    threshold: float,
) -> tuple[float, bool]:
    """Test that two samples have the same shares of categories; rare categories are merged.

    Evidently's own chi-square takes the reference's shares as exact, so that a single new category gives p = 0.
    """
    counts = pd.concat([reference.value_counts(), current.value_counts()], axis=1).fillna(0).to_numpy()
    smaller_side = min(len(reference), len(current)) / (len(reference) + len(current))
    rare = counts.sum(axis=1) * smaller_side < _MIN_EXPECTED
    table = [*counts[~rare], counts[rare].sum(axis=0)] if rare.any() else [*counts]
    if len(table) < 2:
        return 1.0, False
    p_value = float(chi2_contingency(table, correction=True).pvalue)
    return p_value, p_value <= threshold


register_stattest(
    StatTest(
        name=_HOMOGENEITY, display_name="homogeneity p_value", allowed_feature_types=[ColumnType.Categorical]
    ),
    _homogeneity,
)
