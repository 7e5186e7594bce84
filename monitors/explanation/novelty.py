"""Scores how new each conversation of a window is, and bounds the share of the window that is new."""

from collections.abc import Callable, Sequence
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray
from sklearn.kernel_ridge import KernelRidge

from monitors.cross_fitting import folds_of
from monitors.features import text_features
from monitors.texts import user_text
from monitors.types import Sample

_PENALTY = 1.0  # of the least-squares classifier; rows have unit length
_RISK = 0.05  # that one of the two distribution functions leaves its band

Floats = NDArray[np.float64]


def newness(
    reference: Sequence[Sample],
    window: Sequence[Sample],
    *,
    seed: int,
    text_of: Callable[[Sample], str] = user_text,
) -> tuple[Floats, Floats]:
    """Return a score for each sample of the reference and of the window; larger is more typical of the window.

    ``text_of`` gives the text to score. Each sample is scored by a classifier that saw nothing of its group (cross-fitting),
    so that a score says what is new in general, not which user was seen.
    """
    samples = [*reference, *window]
    features = text_features([text_of(sample) for sample in samples])
    kernel = (features @ features.T).toarray()
    is_new = np.arange(len(samples)) >= len(reference)
    weight = np.where(is_new, len(samples) / len(window), len(samples) / len(reference))
    folds = folds_of([sample.group for sample in samples], seed)
    scores = np.zeros(len(samples))
    for fold in np.unique(folds):
        out = folds == fold
        if out.all():
            continue  # all samples are of one group: no training data is left
        classifier = KernelRidge(alpha=_PENALTY, kernel="precomputed")
        classifier.fit(kernel[np.ix_(~out, ~out)], np.where(is_new[~out], 1.0, -1.0), weight[~out])
        scores[out] = classifier.predict(kernel[np.ix_(out, ~out)])
    return scores[~is_new], scores[is_new]


def share_new(reference_scores: Floats, window_scores: Floats) -> float:
    """Return a lower bound of the share of the window that is new, with 90% confidence.

    The part of the window that comes from the reference keeps the reference's share of samples below any score:
    P_window(s <= t) >= (1 - new) P_reference(s <= t). The bound is the largest ``new`` that this allows over all t, with
    each distribution function moved to the far edge of its confidence band (Blanchard, Lee and Scott, *Semi-supervised
    novelty detection*, JMLR 2010; bands of Dvoretzky, Kiefer and Wolfowitz). It approaches the share that a perfect
    classifier would find as both sides grow.
    """
    at = np.concatenate([reference_scores, window_scores])
    below = [
        np.searchsorted(np.sort(s), at, side="right") / len(s) for s in (reference_scores, window_scores)
    ]
    reference = below[0] - _band(len(reference_scores))
    window = below[1] + _band(len(window_scores))
    usable = reference > 0
    if not usable.any():
        return 0.0
    return float(np.clip(1 - (window[usable] / reference[usable]).min(), 0.0, 1.0))


def _band(count: int) -> float:
    return sqrt(log(1 / _RISK) / (2 * count))
