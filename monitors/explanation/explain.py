"""Explains what changed in a window."""

from collections.abc import Iterable, Sequence
from itertools import chain
from math import sqrt

import numpy as np
import pandas as pd

from monitors.defects import defects_of
from monitors.explanation.changed_terms import changed_words
from monitors.explanation.domain_view import domain_view
from monitors.explanation.examples import select_examples, typicality
from monitors.explanation.novelty import newness, share_new
from monitors.explanation.spelling import changed_characters
from monitors.explanation.terms import MIN_GROUPS, terms_of
from monitors.explanation.topics import changed_topics
from monitors.sample_requirements import PER_USER, balanced
from monitors.texts import reply_text, user_text, words
from monitors.types import Aspect, Change, Explanation, Reference, Sample, Window
from monitors.window.descriptors import CATEGORICAL, NUMERIC, describe_both

#: Characters of a text that are read.
_CHARACTERS = 4_000
_MIN_Z = 3.0  # z-score from which on a change is reported


def explain(
    window: Window,
    reference: Reference,
    *,
    limit: int = 12,
    seed: int = 0,
    leading_aspect: Aspect | None = None,
) -> Explanation:
    """Explain how the window differs: words, characters, descriptors, labels, topics, a classifier's words, and examples.

    Words are the users', or the assistant's if the leading aspect is the replies; then only replies of versions that
    answered in the window are compared. Examples show the leading aspect.

    Each list has the most certain first, and at most ``limit`` entries. Needs samples on both sides; empty texts are
    allowed. A term that fewer than three users wrote is never named.
    """
    past, current = balanced(reference.samples, window.samples, PER_USER)
    text_of = reply_text if leading_aspect is Aspect.REPLY else user_text
    if leading_aspect is Aspect.REPLY:
        past = _answered_by_the_same(past, current) or past
    both = [*past, *current]
    is_new = np.arange(len(both)) >= len(past)
    texts = [text_of(sample)[:_CHARACTERS] for sample in both]
    terms = terms_of(map(words, texts), both)
    scores = newness(past, current, seed=seed, text_of=text_of)
    typical = typicality(leading_aspect, past, current) or scores
    return Explanation(
        window_id=window.id,
        changes=(
            *changed_words(terms, is_new, limit=limit),
            *changed_characters(texts, both, is_new, terms, limit=limit),
            *changed_descriptors(past, current)[:limit],
            *changed_tags(past, current)[:limit],
        ),
        examples=tuple(
            sample.id for sample in select_examples(current, typical[1], typical[0], text_of=text_of)
        ),
        share_new=share_new(*scores),
        topics=changed_topics(terms, both, is_new, seed=seed),
        domain=domain_view(terms, both, is_new, limit=limit, seed=seed),
        speaker="assistant" if leading_aspect is Aspect.REPLY else "user",
    )


def _answered_by_the_same(past: Sequence[Sample], current: Sequence[Sample]) -> list[Sample]:
    versions = {sample.version for sample in current}
    return [sample for sample in past if sample.version in versions]


def changed_descriptors(reference: Sequence[Sample], window: Sequence[Sample]) -> list[Change]:
    """Return descriptors whose mean changed and categories ("language: zh") whose share changed, most certain first."""
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
    measurable = (pair for pair in pairs if all(len(side) > 1 for side in pair[1:]))
    return _significant(_change("descriptor", *pair) for pair in measurable)


def changed_tags(reference: Sequence[Sample], window: Sequence[Sample]) -> list[Change]:
    """Return labels and defects whose share changed, most certain first, of at least three users each."""
    sides = [[_tags(sample) for sample in side] for side in (reference, window)]
    users: dict[tuple[str, str], set[str]] = {}
    for sample, tags in zip((*reference, *window), chain(*sides), strict=True):
        for tag in tags:
            users.setdefault(tag, set()).add(sample.group)
    return _significant(
        _change(*tag, *(pd.Series([float(tag in tags) for tags in side]) for side in sides))
        for tag in sorted(users)
        if len(users[tag]) >= MIN_GROUPS
    )


def _tags(sample: Sample) -> set[tuple[str, str]]:
    labels = {("label", f"{field}: {value}") for field, value in sample.labels}
    return labels | {("defect", name) for name, has in defects_of(sample).items() if has}


def _significant(changes: Iterable[Change]) -> list[Change]:
    return sorted((c for c in changes if abs(c.score) >= _MIN_Z), key=lambda c: -abs(c.score))


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
