"""Says what changed in a window, for people."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import pandas as pd

from monitors.descriptors import CATEGORICAL, NUMERIC, describe
from monitors.evidence import ranks
from monitors.novelty import newness, share_new
from monitors.types import Change, Explanation, Reference, Sample, Window
from monitors.wording import changed_words

#: Conversations of one user that count, so that nobody is mistaken for a trend.
_PER_GROUP = 3
_TELLING = 3.0  # z-score


def explain(window: Window, reference: Reference, *, limit: int = 12, seed: int = 0) -> Explanation:
    """Explain how the window differs: words, then descriptors, each most telling first, ``limit`` of each at most.

    Needs samples on both sides. Empty texts are fine; they explain nothing.
    """
    past, current = _counting(reference.samples), _counting(window.samples)
    past_scores, scores = newness(past, current, seed=seed)
    most_typical = np.argsort(-scores, kind="stable")[:limit]
    return Explanation(
        window_id=window.id,
        changes=(*changed_words(past, current, limit=limit), *changed_descriptors(past, current)[:limit]),
        examples=tuple(current[i].id for i in most_typical),
        share_new=share_new(past_scores, scores),
    )


def changed_descriptors(reference: Sequence[Sample], window: Sequence[Sample]) -> list[Change]:
    """Return descriptors whose mean changed, and categories ("language: zh") whose share did, surest first."""
    past, current = describe(reference), describe(window)
    pairs = [(column, past[column].dropna(), current[column].dropna()) for column in NUMERIC]
    for column in CATEGORICAL:
        pairs += [
            (
                f"{column}: {value}",
                past[column].eq(value).astype(float),
                current[column].eq(value).astype(float),
            )
            for value in sorted({*past[column], *current[column]})
        ]
    changes = [_change(name, *sides) for name, *sides in pairs if all(len(side) > 1 for side in sides)]
    return sorted((c for c in changes if abs(c.score) >= _TELLING), key=lambda c: -abs(c.score))


def _counting(samples: Sequence[Sample]) -> list[Sample]:
    return [sample for sample, rank in zip(samples, ranks(samples), strict=True) if rank < _PER_GROUP]


def _change(name: str, past: "pd.Series[float]", current: "pd.Series[float]") -> Change:
    both = pd.concat([past, current])
    spread = float(both.std(ddof=0)) * sqrt(1 / len(past) + 1 / len(current))
    difference = float(current.mean() - past.mean())
    return Change(
        aspect="descriptor",
        name=name,
        reference=float(past.mean()),
        window=float(current.mean()),
        score=difference / spread if spread > 0 else 0.0,
    )
