"""Evidently's drift methods with their defaults, called without a report."""

import warnings
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from monitors.bench.contenders import Contender, Maker, Setting, Windowed
from monitors.bench.vectors import full_text, matrix
from monitors.types import Sample
from monitors.window.engine import ColumnType

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from evidently.legacy.calculations.stattests.registry import get_stattest  # type: ignore[import-untyped]
    from evidently.metrics.embeddings import (  # type: ignore[import-untyped]
        MMDDriftMethod,
        ModelDriftMethod,
        RatioDriftMethod,
    )

#: Size of the reference from which on Evidently no longer simulates the classifier's AUC by default.
_SIMULATED_BELOW = 1_000


def _text(method: str | None) -> Maker:
    """Return the classifier of words; by default, the AUC that counts as drift depends on the size of the reference."""

    def make(setting: Setting) -> Contender:
        past = pd.Series([full_text(sample) for sample in setting.reference])

        def test(window: Sequence[Sample]) -> bool:
            current = pd.Series([full_text(sample) for sample in window])
            stat_test = get_stattest(past, current, ColumnType.Text, method)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                try:
                    return bool(stat_test(past, current, ColumnType.Text, None).drifted)
                except ValueError:  # Evidently drops words of half of the texts; none is left
                    return False

        return Windowed(test)

    return make


def _embedding(
    method: Callable[[int], Callable[[pd.DataFrame, pd.DataFrame], tuple[float, bool, str]]],
) -> Maker:
    def make(setting: Setting) -> Contender:
        past = matrix(setting.vectors, setting.reference)
        judge = method(len(past))

        def test(window: Sequence[Sample]) -> bool:
            # A method may add a column to its frames.
            return bool(judge(pd.DataFrame(matrix(setting.vectors, window)), pd.DataFrame(past))[1])

        return Windowed(test)

    return make


EVIDENTLY: Mapping[str, Maker] = {
    "Evidently text, default": _text(None),
    "Evidently text, AUC .55": _text("abs_text_content_drift"),
    "Evidently embeddings, default": _embedding(
        lambda size: ModelDriftMethod(bootstrap=size < _SIMULATED_BELOW)
    ),
    "Evidently MMD .015": _embedding(lambda _: MMDDriftMethod()),
    "Evidently ratio": _embedding(lambda _: RatioDriftMethod()),
}
