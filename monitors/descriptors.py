"""Describes a conversation by numbers that mean the same in every language."""

from collections.abc import Sequence

import pandas as pd

from monitors.shape import language_of, script_of, shape_of
from monitors.texts import user_text
from monitors.types import Sample

NUMERIC = (
    "user_characters",
    "reply_characters",
    "turns",
    "question_share",
    "non_letter_share",
    "repeated_share",
    "feedback",
)
CATEGORICAL = ("script", "language")


def describe(samples: Sequence[Sample]) -> pd.DataFrame:
    """Return a row for each sample, in order, with the columns NUMERIC and CATEGORICAL.

    Shares are from 0 to 1; ``feedback`` is missing (NaN) where nobody said.
    """
    rows = [_row(sample) for sample in samples]
    frame = pd.DataFrame(rows, columns=[*NUMERIC, *CATEGORICAL])
    return frame.astype(dict.fromkeys(NUMERIC, "float64"))


def _row(sample: Sample) -> dict[str, float | str | None]:
    text = user_text(sample)
    script = script_of(text)
    return {
        **shape_of(sample),
        "feedback": sample.feedback,
        "script": script,
        "language": language_of(text, script),
    }
