"""Which conversations of a window to look at: close to the change, each another user's, and unlike each other."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from monitors.defects import defects_of
from monitors.features import text_features
from monitors.texts import user_text
from monitors.types import Aspect, Sample

_COUNT = 5
#: A conversation is close to the change if it is so much of the way from the middle of the reference to the closest.
_CLOSE = 0.5
_LOOKED_AT = 60  # of the closest
_ALIKE = 0.5  # cosine of two texts' n-grams from which on the second one adds little

Floats = NDArray[np.float64]


def closest(
    window: Sequence[Sample],
    scores: Floats,
    reference_scores: Floats,
    *,
    said: Callable[[Sample], str] = user_text,
) -> tuple[Sample, ...]:
    """Return at most five conversations, the closest first. ``scores``: how typical of the window each one is.

    Of those that are alike in what was ``said`` one is told; where the close ones are all alike, the closest fill up.
    """
    bar = (1 - _CLOSE) * np.median(reference_scores) + _CLOSE * scores.max()
    ordered = _one_a_user(window, np.argsort(-scores, kind="stable"))
    near = [i for i in ordered if scores[i] >= bar][:_LOOKED_AT] or ordered[:_COUNT]
    told = text_features([said(window[i]) for i in near])
    alike = (told @ told.T).toarray()
    chosen: list[int] = []
    for at in range(len(near)):
        if len(chosen) < _COUNT and not any(alike[at, other] > _ALIKE for other in chosen):
            chosen.append(at)
    rest = [at for at in range(len(near)) if at not in chosen]
    return tuple(window[near[at]] for at in sorted([*chosen, *rest[: _COUNT - len(chosen)]]))


def closeness(
    aspect: Aspect | None, reference: Sequence[Sample], window: Sequence[Sample]
) -> tuple[Floats, Floats] | None:
    """Score each conversation by how much it shows a change in an aspect that words don't tell; None: words do.

    By its defects, by how discontent its user was, or by how much more common its labels have become.
    """
    if aspect is Aspect.DEFECTS:
        return _scored(lambda sample: sum(defects_of(sample).values()), reference, window)
    if aspect is Aspect.QUALITY:
        return _scored(
            lambda sample: -1.0 if sample.feedback is None else -sample.feedback, reference, window
        )
    if aspect is Aspect.LABEL:
        before, after = (
            Counter(label for sample in side for label in sample.labels) for side in (reference, window)
        )
        rise = {
            label: after[label] / len(window) - before[label] / len(reference) for label in after | before
        }
        return _scored(
            lambda sample: max((rise[label] for label in sample.labels), default=0.0), reference, window
        )
    return None


def _scored(
    score: Callable[[Sample], float], reference: Sequence[Sample], window: Sequence[Sample]
) -> tuple[Floats, Floats]:
    past, current = (
        np.array([score(sample) for sample in side], dtype=np.float64) for side in (reference, window)
    )
    return past, current


def _one_a_user(window: Sequence[Sample], order: Sequence[int] | NDArray[np.intp]) -> list[int]:
    first: dict[str, int] = {}
    for i in order:
        first.setdefault(window[i].group, int(i))
    return list(first.values())
