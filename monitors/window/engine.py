"""The only import of Evidently outside the benchmark; it takes seconds, so only the judging process may load it."""

import warnings
from collections.abc import Sequence

import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from monitors.window.descriptors import CATEGORICAL, NUMERIC

with warnings.catch_warnings():
    # Evidently 0.7 imports numpy.core and litestar's old names.
    warnings.simplefilter("ignore", DeprecationWarning)
    from evidently import DataDefinition, Dataset, Report  # type: ignore[import-untyped]
    from evidently.core.metric_types import (  # type: ignore[import-untyped]
        Metric,
        SingleValue,
        SingleValueCalculation,
        SingleValueMetric,
    )
    from evidently.core.report import Context, Snapshot  # type: ignore[import-untyped]
    from evidently.legacy.calculations.stattests import StatTest, register_stattest  # type: ignore[import-untyped]
    from evidently.legacy.core import ColumnType  # type: ignore[import-untyped]
    from evidently.legacy.renderers.html_widgets import CounterData, counter  # type: ignore[import-untyped]
    from evidently.legacy.utils.data_drift_utils import roc_auc_domain_classifier  # type: ignore[import-untyped]
    from evidently.metrics import ValueDrift  # type: ignore[import-untyped]
    from evidently.tests import lte  # type: ignore[import-untyped]

__all__ = [
    "ColumnType",
    "Context",
    "CounterData",
    "Dataset",
    "Metric",
    "SingleValue",
    "SingleValueCalculation",
    "SingleValueMetric",
    "Snapshot",
    "StatTest",
    "ValueDrift",
    "counter",
    "lte",
    "register_stattest",
    "roc_auc_domain_classifier",
    "run",
]


def run(metrics: Sequence[Metric], *, window: pd.DataFrame, reference: pd.DataFrame) -> Snapshot:
    """Run Evidently's report over the columns that have values on both sides.

    Column types follow from the names for descriptors; other columns are text or integer codes.
    """
    given = [c for c in window.columns if window[c].notna().any() and reference[c].notna().any()]
    window, reference = window[given], reference[given]
    definition = DataDefinition(
        numerical_columns=[c for c in window.columns if c in NUMERIC],
        categorical_columns=[c for c in window.columns if c in CATEGORICAL or window[c].dtype.kind == "i"],
        text_columns=[
            c for c in window.columns if c not in (*NUMERIC, *CATEGORICAL) and window[c].dtype.kind == "O"
        ],
    )
    report = Report(list(metrics), include_tests=True)
    with warnings.catch_warnings():
        # Evidently sorts slices of its own frames in place to show typical texts.
        warnings.simplefilter("ignore", pd.errors.SettingWithCopyWarning)
        # Its domain classifier stops after 50 rounds; the p-value holds for the classifier learned by then.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return report.run(Dataset.from_pandas(window, definition), Dataset.from_pandas(reference, definition))
