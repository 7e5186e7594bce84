"""Selects example conversations of a window: typical of the change, of different users, and unlike each other."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from monitors.defects import defects_of
from monitors.features import text_features
from monitors.texts import user_text
from monitors.types import Aspect, Sample

_COUNT = 5
#: A candidate scores at least this share of the way from the reference's median to the highest score.
_TYPICAL = 0.5
_MAX_CANDIDATES = 60
_MAX_SIMILARITY = 0.5  # cosine of two texts' n-grams, above which the second one is skipped

Floats = NDArray[np.float64]


def select_examples(
    window: Sequence[Sample],
    scores: Floats,
    reference_scores: Floats,
    *,
    text_of: Callable[[Sample], str] = user_text,
) -> tuple[Sample, ...]:
    """Return at most five conversations, the most typical of the change first.

    ``scores`` say how typical each sample of the window is. Of similar texts, by ``text_of``, one is selected; where there
    are too few dissimilar candidates, the best similar ones fill up.
    """
    bar = (1 - _TYPICAL) * np.median(reference_scores) + _TYPICAL * scores.max()
    ordered = _first_of_each_user(window, np.argsort(-scores, kind="stable"))
    candidates = [i for i in ordered if scores[i] >= bar][:_MAX_CANDIDATES] or ordered[:_COUNT]
    features = text_features([text_of(window[i]) for i in candidates])
    similarity = (features @ features.T).toarray()
    chosen: list[int] = []
    for at in range(len(candidates)):
        if len(chosen) < _COUNT and not any(similarity[at, other] > _MAX_SIMILARITY for other in chosen):
            chosen.append(at)
    rest = [at for at in range(len(candidates)) if at not in chosen]
    return tuple(window[candidates[at]] for at in sorted([*chosen, *rest[: _COUNT - len(chosen)]]))


def typicality(
    aspect: Aspect | None, reference: Sequence[Sample], window: Sequence[Sample]
) -> tuple[Floats, Floats] | None:
    """Score each conversation of the reference and of the window by how typical it is of a change in ``aspect``.

    Scores count defects, dissatisfaction, or how much more common a label has become. None for aspects that words show.
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


def _first_of_each_user(window: Sequence[Sample], order: Sequence[int] | NDArray[np.intp]) -> list[int]:
    first: dict[str, int] = {}
    for i in order:
        first.setdefault(window[i].group, int(i))
    return list(first.values())
