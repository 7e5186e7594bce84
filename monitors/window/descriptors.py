"""Describes conversations by numbers that mean the same in every language."""

from collections.abc import Sequence

import pandas as pd

from monitors.shape import language_of, script_of, shape_of
from monitors.texts import user_text
from monitors.types import Sample
from monitors.window.satisfaction import predicted

_OF_ITS_OWN = (
    "user_characters",
    "reply_characters",
    "turns",
    "question_share",
    "non_letter_share",
    "repeated_share",
    "feedback",
)
PREDICTED = "predicted_satisfaction"
NUMERIC = (*_OF_ITS_OWN, PREDICTED)
CATEGORICAL = ("script", "language")


def describe(samples: Sequence[Sample]) -> pd.DataFrame:
    """Return a row for each sample, in order, with all columns of NUMERIC and CATEGORICAL but PREDICTED.

    Shares are from 0 to 1; ``feedback`` is missing (NaN) where nobody said.
    """
    rows = [_row(sample) for sample in samples]
    frame = pd.DataFrame(rows, columns=[*_OF_ITS_OWN, *CATEGORICAL])
    return frame.astype(dict.fromkeys(_OF_ITS_OWN, "float64"))


def describe_both(reference: Sequence[Sample], window: Sequence[Sample]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of both sides with PREDICTED, missing where it can't be told: it is learned from the reference."""
    past, current = describe(reference), describe(window)
    guessed = predicted(reference, window) or (float("nan"), float("nan"))
    past[PREDICTED], current[PREDICTED] = guessed
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
