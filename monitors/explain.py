"""Says what changed in a window, for people."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import pandas as pd

from monitors.descriptors import CATEGORICAL, NUMERIC, describe_both
from monitors.domain_view import domain_view
from monitors.evidence import at_most
from monitors.examples import closest
from monitors.novelty import newness, share_new
from monitors.pieces import pieces_of
from monitors.spelling import changed_characters
from monitors.texts import user_text, words
from monitors.topics import changed_topics
from monitors.types import Change, Explanation, Reference, Sample, Window
from monitors.wording import changed_words

#: Conversations of one user that count, so that nobody is mistaken for a trend.
_PER_GROUP = 3
#: Characters of a text that are looked at; what a conversation is about shows in them.
_CHARACTERS = 4_000
_TELLING = 3.0  # z-score


def explain(window: Window, reference: Reference, *, limit: int = 12, seed: int = 0) -> Explanation:
    """Explain how the window differs: words, characters, descriptors, topics, what a classifier goes by, and examples.

    Each kind has the most telling first, ``limit`` of each at most. Needs samples on both sides. Empty texts are fine;
    they explain nothing. A word, or a piece of one, that fewer than three users say is never named.
    """
    past, current = at_most(reference.samples, _PER_GROUP), at_most(window.samples, _PER_GROUP)
    both = [*past, *current]
    is_new = np.arange(len(both)) >= len(past)
    texts = [user_text(sample)[:_CHARACTERS] for sample in both]
    said = pieces_of(map(words, texts), both)
    past_scores, scores = newness(past, current, seed=seed)
    return Explanation(
        window_id=window.id,
        changes=(
            *changed_words(said, is_new, limit=limit),
            *changed_characters(texts, both, is_new, said, limit=limit),
            *changed_descriptors(past, current)[:limit],
        ),
        examples=tuple(sample.id for sample in closest(current, scores, past_scores)),
        share_new=share_new(past_scores, scores),
        topics=changed_topics(said, both, is_new, seed=seed),
        domain=domain_view(said, both, is_new, limit=limit, seed=seed),
    )


def changed_descriptors(reference: Sequence[Sample], window: Sequence[Sample]) -> list[Change]:
    """Return descriptors whose mean changed, and categories ("language: zh") whose share did, surest first."""
    past, current = describe_both(reference, window)
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
