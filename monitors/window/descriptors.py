"""Describes conversations by numbers and categories that mean the same in every language."""

from collections.abc import Sequence

import pandas as pd

from monitors.shape import language_of, script_of, shape_of
from monitors.texts import user_text
from monitors.types import Sample
from monitors.window.satisfaction import predicted

_MEASURED = (
    "user_characters",
    "reply_characters",
    "turns",
    "question_share",
    "non_letter_share",
    "repeated_share",
    "feedback",
)
PREDICTED = "predicted_satisfaction"
NUMERIC = (*_MEASURED, PREDICTED)
CATEGORICAL = ("script", "language")


def describe(samples: Sequence[Sample]) -> pd.DataFrame:
    """Return a row for each sample, in order, with the columns of NUMERIC and CATEGORICAL except PREDICTED.

    Shares are from 0 to 1. ``feedback`` is missing (NaN) where the user gave none.
    """
    rows = [_row(sample) for sample in samples]
    frame = pd.DataFrame(rows, columns=[*_MEASURED, *CATEGORICAL])
    return frame.astype(dict.fromkeys(_MEASURED, "float64"))


def describe_both(reference: Sequence[Sample], window: Sequence[Sample]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of both sides with PREDICTED, which is learned from the reference; missing where that fails."""
    past, current = describe(reference), describe(window)
    predictions = predicted(reference, window) or (float("nan"), float("nan"))
    past[PREDICTED], current[PREDICTED] = predictions
    return past, current


def _row(sample: Sample) -> dict[str, float | str | None]:
    text = user_text(sample)
    script = script_of(text)
    return {
        **shape_of(sample),
        "feedback": sample.feedback,
        "script": script,
        "language": language_of(text, script),
    }
