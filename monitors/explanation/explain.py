"""Says what changed in a window, for people."""

from collections.abc import Iterable, Sequence
from itertools import chain
from math import sqrt

import numpy as np
import pandas as pd

from monitors.defects import defects_of
from monitors.explanation.changed_terms import changed_words
from monitors.explanation.domain_view import domain_view
from monitors.explanation.examples import closeness, closest
from monitors.explanation.novelty import newness, share_new
from monitors.explanation.spelling import changed_characters
from monitors.explanation.terms import LEAST_GROUPS, terms_of
from monitors.explanation.topics import changed_topics
from monitors.sample_requirements import PER_USER, alike
from monitors.texts import reply_text, user_text, words
from monitors.types import Aspect, Change, Explanation, Reference, Sample, Window
from monitors.window.descriptors import CATEGORICAL, NUMERIC, describe_both

#: Characters of a text that are looked at; what a conversation is about shows in them.
_CHARACTERS = 4_000
_TELLING = 3.0  # z-score


def explain(
    window: Window, reference: Reference, *, limit: int = 12, seed: int = 0, leading: Aspect | None = None
) -> Explanation:
    """Explain how the window differs: words, characters, descriptors, topics, what a classifier goes by, and examples.

    Words are the users', or the assistant's where replies are what changed most (``leading``); of those, versions that
    answered in the window are compared. Examples are of what leads, too.

    Each kind has the most telling first, ``limit`` of each at most. Needs samples on both sides. Empty texts are fine;
    they explain nothing. A word, or a piece of one, that fewer than three users say is never named.
    """
    past, current = alike(reference.samples, window.samples, PER_USER)
    said = reply_text if leading is Aspect.REPLY else user_text
    if leading is Aspect.REPLY:
        past = _answered_by_the_same(past, current) or past
    both = [*past, *current]
    is_new = np.arange(len(both)) >= len(past)
    texts = [said(sample)[:_CHARACTERS] for sample in both]
    pieces = terms_of(map(words, texts), both)
    scores = newness(past, current, seed=seed, said=said)
    shown = closeness(leading, past, current) or scores
    return Explanation(
        window_id=window.id,
        changes=(
            *changed_words(pieces, is_new, limit=limit),
            *changed_characters(texts, both, is_new, pieces, limit=limit),
            *changed_descriptors(past, current)[:limit],
            *changed_tags(past, current)[:limit],
        ),
        examples=tuple(sample.id for sample in closest(current, shown[1], shown[0], said=said)),
        share_new=share_new(*scores),
        topics=changed_topics(pieces, both, is_new, seed=seed),
        domain=domain_view(pieces, both, is_new, limit=limit, seed=seed),
        speaker="assistant" if leading is Aspect.REPLY else "user",
    )


def _answered_by_the_same(past: Sequence[Sample], current: Sequence[Sample]) -> list[Sample]:
    versions = {sample.version for sample in current}
    return [sample for sample in past if sample.version in versions]


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
    told = (pair for pair in pairs if all(len(side) > 1 for side in pair[1:]))
    return _telling(_change("descriptor", *pair) for pair in told)


def changed_tags(reference: Sequence[Sample], window: Sequence[Sample]) -> list[Change]:
    """Return labels and defects that became more common, or less, surest first. Labels of fewer than three users are none."""
    sides = [[_tags(sample) for sample in side] for side in (reference, window)]
    users: dict[tuple[str, str], set[str]] = {}
    for sample, tags in zip((*reference, *window), chain(*sides), strict=True):
        for tag in tags:
            users.setdefault(tag, set()).add(sample.group)
    return _telling(
        _change(*tag, *(pd.Series([float(tag in tags) for tags in side]) for side in sides))
        for tag in sorted(users)
        if len(users[tag]) >= LEAST_GROUPS
    )


def _tags(sample: Sample) -> set[tuple[str, str]]:
    labels = {("label", f"{field}: {value}") for field, value in sample.labels}
    return labels | {("defect", name) for name, has in defects_of(sample).items() if has}


def _telling(changes: Iterable[Change]) -> list[Change]:
    return sorted((c for c in changes if abs(c.score) >= _TELLING), key=lambda c: -abs(c.score))


def _change(aspect: str, name: str, past: "pd.Series[float]", current: "pd.Series[float]") -> Change:
    both = pd.concat([past, current])
    spread = float(both.std(ddof=0)) * sqrt(1 / len(past) + 1 / len(current))
    difference = float(current.mean() - past.mean())
    return Change(
        aspect=aspect,
        name=name,
        reference=float(past.mean()),
        window=float(current.mean()),
        score=difference / spread if spread > 0 else 0.0,
    )
