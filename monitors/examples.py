"""Which conversations of a window to look at: close to the change, each another user's, and unlike each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitors.features import text_features
from monitors.texts import user_text
from monitors.types import Sample

_COUNT = 5
#: A conversation is close to the change if it is so much of the way from the middle of the reference to the closest.
_CLOSE = 0.5
_LOOKED_AT = 60  # of the closest
_ALIKE = 0.5  # cosine of two texts' n-grams from which on the second one adds little


def closest(
    window: Sequence[Sample], scores: NDArray[np.float64], reference_scores: NDArray[np.float64]
) -> tuple[Sample, ...]:
    """Return at most five conversations, the closest first. ``scores``: how typical of the window each one is.

    Where the close ones are all alike, the closest of those fill up.
    """
    bar = (1 - _CLOSE) * np.median(reference_scores) + _CLOSE * scores.max()
    ordered = _one_a_user(window, np.argsort(-scores, kind="stable"))
    near = [i for i in ordered if scores[i] >= bar][:_LOOKED_AT] or ordered[:_COUNT]
    told = text_features([user_text(window[i]) for i in near])
    alike = (told @ told.T).toarray()
    chosen: list[int] = []
    for at in range(len(near)):
        if len(chosen) < _COUNT and not any(alike[at, other] > _ALIKE for other in chosen):
            chosen.append(at)
    rest = [at for at in range(len(near)) if at not in chosen]
    return tuple(window[near[at]] for at in sorted([*chosen, *rest[: _COUNT - len(chosen)]]))


def _one_a_user(window: Sequence[Sample], order: Sequence[int] | NDArray[np.intp]) -> list[int]:
    first: dict[str, int] = {}
    for i in order:
        first.setdefault(window[i].group, int(i))
    return list(first.values())
