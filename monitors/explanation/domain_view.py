"""Explains by which words a linear classifier distinguishes window and reference (SHAP values)."""

from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import norm, rankdata
from sklearn.linear_model import LogisticRegression

from monitors.cross_fitting import folds_of
from monitors.explanation.terms import Terms
from monitors.sample_requirements import group_ranks
from monitors.types import DomainView, Sample, WordEffect

_PENALTY = 0.1  # inverse strength of the ridge penalty: words are many, conversations few
_MIN_USERS = 10  # on either side, for an interval
_Z = float(norm.ppf(0.975))

Floats = NDArray[np.float64]


def domain_view(
    terms: Terms, samples: Sequence[Sample], is_new: NDArray[np.bool_], *, limit: int, seed: int
) -> DomainView | None:
    """Classify window against reference by words, and return the AUC with the strongest words.

    None where there are too few words or users. ``is_new``: the window's rows.

    A logistic regression scores each conversation without having seen its user (cross-fitting). For a linear model
    of independent features, SHAP values have a closed form: word i of a conversation x adds ``w_i (x_i - E[x_i])`` to the
    log-odds (Lundberg and Lee 2017, Linear SHAP), with the mean over the reference. The AUC counts one conversation a
    user; its interval is DeLong's (DeLong et al. 1988).
    """
    once = np.array(group_ranks(samples)) == 0
    if not terms.names or min((once & is_new).sum(), (once & ~is_new).sum()) < _MIN_USERS:
        return None
    scores, sums = np.zeros(len(samples)), np.zeros((3, len(terms.names)))
    folds = folds_of([sample.group for sample in samples], seed)
    for fold in np.unique(folds):
        out = folds == fold
        if len(np.unique(is_new[~out])) < 2:
            return None
        model = LogisticRegression(C=_PENALTY, class_weight="balanced", solver="liblinear", random_state=seed)
        model.fit(terms.has[~out], is_new[~out])
        scores[out] = model.decision_function(terms.has[out])
        sums += _shap_sums(model.coef_[0], terms.has[out & is_new], terms.has[~out & ~is_new])
    auc, error = _auc(scores[once & is_new], scores[once & ~is_new])
    return DomainView(
        auc=auc,
        lower=max(0.0, auc - _Z * error),
        upper=min(1.0, auc + _Z * error),
        words=tuple(_strongest(terms.names, sums / is_new.sum(), limit)),
    )


def _shap_sums(weights: Floats, rows: csr_matrix, background: csr_matrix) -> Floats:
    """Return each word's SHAP values summed over the rows: absolute, signed, and as if each row had the word."""
    expected = np.asarray(background.mean(axis=0)).ravel()
    having = np.asarray(rows.sum(axis=0)).ravel()
    present, absent = having * (1 - expected), (rows.shape[0] - having) * expected
    return np.stack(
        [
            np.abs(weights) * (present + absent),
            weights * (present - absent),
            weights * (1 - expected) * rows.shape[0],
        ]
    )


def _auc(window: Floats, reference: Floats) -> tuple[float, float]:
    """Return the area under the curve and its standard error, by DeLong's placements."""
    n, m = len(window), len(reference)
    together = rankdata(np.concatenate([window, reference]))
    above = (together[:n] - rankdata(window)) / m  # share of the reference below each of the window
    below = 1 - (together[n:] - rankdata(reference)) / n
    variance = above.var(ddof=1) / n + below.var(ddof=1) / m
    return float(above.mean()), sqrt(float(variance))


def _strongest(names: Sequence[str], means: Floats, limit: int) -> Iterator[WordEffect]:
    strength, mean, having = means
    chosen: list[str] = []
    for i in sorted(range(len(names)), key=lambda i: (-strength[i], -len(names[i]), names[i])):
        if len(chosen) == limit or strength[i] <= 0:
            return
        if not any(names[i] in other for other in chosen):
            chosen.append(names[i])
            yield WordEffect(
                word=names[i], strength=float(strength[i]), mean=float(mean[i]), having=float(having[i])
            )
