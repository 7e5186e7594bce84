"""Predicts how satisfied users are from the feedback of those who gave it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

from monitors.cross_fitting import folds_of
from monitors.features import text_features
from monitors.sample_requirements import group_ranks
from monitors.shape import shape_of
from monitors.texts import reply_text
from monitors.types import Sample

#: Fewest users of the reference with feedback.
_MIN_USERS = 50
#: Level of the test that predictions go with feedback.
_LEVEL = 0.01
_PENALTY = 3.0  # of the ridge regression; rows of n-grams have unit length
_SHAPE_WEIGHT = 0.3  # of a standard deviation of each length
#: Characters of the replies that are read.
_CHARACTERS = 2_000

Floats = NDArray[np.float64]


def predicted(
    reference: Sequence[Sample], window: Sequence[Sample], *, seed: int = 0
) -> tuple[Floats, Floats] | None:
    """Predict each user's feedback, from -1 to about 1, in the reference and in the window; None where that is not possible.

    A ridge regression on the replies' character n-grams and on lengths learns from the feedback of the reference. A model
    that saw nothing of a conversation's user predicts it (cross-fitting), in the reference and in the window alike, so
    that the predictions of one population are one population. It is not possible where too few users gave feedback, or
    where predictions are not significantly higher for more satisfied users (Spearman).
    """
    rated = np.array([sample.feedback is not None for sample in reference])
    if len({sample.group for sample in reference if sample.feedback is not None}) < _MIN_USERS:
        return None
    feedback = np.array([sample.feedback for sample in reference if sample.feedback is not None])
    both = [*reference, *window]
    features, folds = _features(both), folds_of([sample.group for sample in both], seed)
    learned = np.flatnonzero(rated)
    found = np.full(len(both), feedback.mean())
    for fold in np.unique(folds):
        known = folds[learned] != fold
        model = Ridge(alpha=_PENALTY, solver="lsqr").fit(features[learned[known]], feedback[known])
        found[folds == fold] = model.predict(features[folds == fold])
    if not _go_together(found[learned], feedback, [reference[number] for number in learned.tolist()]):
        return None
    return found[: len(reference)], found[len(reference) :]


def _features(samples: Sequence[Sample]) -> csr_matrix:
    """Return a row for each sample. Weights and scales come from all samples, so they do not depend on the side."""
    shape = np.log1p([list(shape_of(sample).values()) for sample in samples])
    spread = shape.std(axis=0)
    lengths = _SHAPE_WEIGHT * (shape - shape.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    words = text_features([reply_text(sample)[:_CHARACTERS] for sample in samples])
    return csr_matrix(hstack([words, csr_matrix(lengths)]))


def _go_together(predictions: Floats, feedback: Floats, samples: Sequence[Sample]) -> bool:
    """Whether predictions are higher for more satisfied users, by one conversation of each."""
    once = np.array(group_ranks(samples)) == 0
    if np.ptp(feedback[once]) == 0 or np.ptp(predictions[once]) == 0:
        return False
    return bool(spearmanr(predictions[once], feedback[once], alternative="greater").pvalue <= _LEVEL)
