"""An Evidently metric: the discrepancy between the texts of window and reference, tested by permuting users."""

import numpy as np
import pandas as pd

from monitors.features import text_features
from monitors.sample_requirements import PER_USER, group_limits, group_ranks
from monitors.texts import user_text
from monitors.types import Reference, Sample, Window
from monitors.window.engine import (
    Context,
    CounterData,
    Dataset,
    SingleValue,
    SingleValueCalculation,
    SingleValueMetric,
    counter,
)
from monitors.window.permutation import PermutationTest, permutation_test

TEXT, GROUP = "said", "said_by"


class TextDiscrepancy(SingleValueMetric):  # type: ignore[misc]
    """Evidently metric: the discrepancy of a text column as a multiple of its critical value."""

    column: str
    group_column: str
    level: float
    permutations: int
    seed: int


class TextDiscrepancyValue(SingleValue):  # type: ignore[misc]
    """The score, with the figures behind it."""

    mmd2: float
    critical: float
    p_value: float
    permutations: int


class TextDiscrepancyCalculation(SingleValueCalculation[TextDiscrepancy]):  # type: ignore[misc]
    """Calculates TextDiscrepancy within Evidently's report."""

    metric: TextDiscrepancy

    def display_name(self) -> str:
        return f"Discrepancy of what users say ({self.metric.column}), 1 is the alarm"

    def calculate(
        self,
        context: Context,  # noqa: ARG002  Evidently's signature
        current_data: Dataset,
        reference_data: Dataset,
    ) -> TextDiscrepancyValue:
        metric = self.metric
        columns = [metric.column, metric.group_column]
        test = _test(current_data.as_dataframe()[columns], reference_data.as_dataframe()[columns], metric)
        plain = self.result(test.score)
        result = TextDiscrepancyValue(
            value=test.score,
            display_name=plain.display_name,
            metric_value_location=plain.metric_value_location,
            mmd2=test.mmd2,
            critical=test.critical,
            p_value=test.p_value,
            permutations=test.permutations,
        )
        result.widget = [
            counter(
                title=self.display_name(),
                counters=[
                    CounterData("score (drift above 1)", f"{test.score:.3f}"),
                    CounterData("p-value", f"{test.p_value:.5f}"),
                    CounterData("level", f"{metric.level:.5f}"),
                ],
            )
        ]
        return result


def text_columns(reference: Reference, window: Window) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return for either side what users said (TEXT) and a code for each user (GROUP).

    Rows beyond a user's limit are missing values, so that other columns can stand beside these.
    """
    past, current = group_limits(reference.samples, window.samples, PER_USER)
    return _column(reference.samples, past), _column(window.samples, current)


def _column(samples: tuple[Sample, ...], limit: int) -> pd.DataFrame:
    codes, _ = pd.factorize(np.array([sample.group for sample in samples], dtype=object))
    within_limit = pd.Series(group_ranks(samples)) < limit
    return pd.DataFrame(
        {TEXT: pd.Series([user_text(s) for s in samples], dtype=object).where(within_limit), GROUP: codes}
    )


def _test(current: pd.DataFrame, reference: pd.DataFrame, metric: TextDiscrepancy) -> PermutationTest:
    current, reference = (side.dropna(subset=[metric.column]) for side in (current, reference))
    features = text_features([*reference[metric.column], *current[metric.column]])
    past_blocks = pd.factorize(reference[metric.group_column])[0]
    blocks = pd.factorize(current[metric.group_column])[0] + past_blocks.max() + 1
    return permutation_test(
        (features @ features.T).toarray(),
        in_window=np.arange(features.shape[0]) >= len(reference),
        blocks=np.concatenate([past_blocks, blocks]).astype(np.intp),
        level=metric.level,
        permutations=metric.permutations,
        seed=metric.seed,
    )
