"""Finds topics by clustering, and those whose share of the users changed."""

from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import false_discovery_control, fisher_exact
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import normalize

from monitors.explanation.terms import Terms
from monitors.sample_requirements import group_ranks
from monitors.types import Sample, Topic

_DIMENSIONS = 50
_MAX_TOPICS = 20
_STARTS = 3  # of the clustering; the tightest result is used
_FALSE_DISCOVERIES = 0.1
_WORDS = 5  # that name a topic


def changed_topics(
    terms: Terms, samples: Sequence[Sample], is_new: NDArray[np.bool_], *, seed: int
) -> tuple[Topic, ...]:
    """Return the topics whose share of the users changed, most certain first. ``is_new``: the window's rows.

    Conversations of both sides are clustered together, without their side, by spherical k-means on latent semantic
    analysis (Deerwester et al. 1990; Dhillon and Modha 2001). The number of topics is the square root of a quarter of the
    users. One conversation of each user counts, so Fisher's exact test of the two shares holds. At most one in ten topics
    returned is expected to be there by chance (Benjamini and Hochberg 1995).
    """
    weights = (
        csr_matrix(TfidfTransformer(sublinear_tf=True).fit_transform(terms.has)) if terms.names else terms.has
    )
    counts = (np.array(group_ranks(samples)) == 0) & (weights.getnnz(axis=1) > 0)
    one_word = weights.shape[1] < 2
    if one_word or not (counts & is_new).any() or not (counts & ~is_new).any():
        return ()
    labels = _clustered(weights, _number(int(counts.sum())), seed)
    found = list(np.unique(labels[counts]))
    tables = [_table(labels == topic, counts, is_new) for topic in found]
    adjusted = false_discovery_control([fisher_exact(table).pvalue for table in tables])
    named = (
        Topic(
            words=tuple(_topic_words(terms, weights, labels == topic)),
            reference=float(table[1, 0] / table[1].sum()),
            window=float(table[0, 0] / table[0].sum()),
            false_discovery=float(q),
        )
        for topic, table, q in zip(found, tables, adjusted, strict=True)
        if q <= _FALSE_DISCOVERIES
    )
    return tuple(sorted(named, key=lambda topic: (topic.false_discovery, topic.words)))


def _number(users: int) -> int:
    return max(2, min(_MAX_TOPICS, round(sqrt(users / 4))))


def _clustered(weights: csr_matrix, number: int, seed: int) -> NDArray[np.intp]:
    """Return each conversation's topic; -1 for one without terms."""
    rows = np.flatnonzero(weights.getnnz(axis=1))
    dimensions = min(_DIMENSIONS, len(rows), weights.shape[1])
    reduced = normalize(TruncatedSVD(dimensions, random_state=seed).fit_transform(weights[rows]))
    distinct = len(np.unique(reduced.round(9), axis=0))
    clusters = KMeans(min(number, distinct), n_init=_STARTS, random_state=seed).fit_predict(reduced)
    labels = np.full(weights.shape[0], -1)
    labels[rows] = clusters
    return labels


def _table(
    inside: NDArray[np.bool_], counts: NDArray[np.bool_], is_new: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return the users inside and outside of the topic: the window's, then the reference's."""
    sides = (counts & is_new, counts & ~is_new)
    return np.array([[(side & inside).sum(), (side & ~inside).sum()] for side in sides])


def _topic_words(terms: Terms, weights: csr_matrix, inside: NDArray[np.bool_]) -> Iterator[str]:
    """Yield the words with more weight inside the topic than outside, largest difference first, without overlaps."""
    inside_weight, outside_weight = (
        np.asarray(weights[rows].mean(axis=0)).ravel() for rows in (inside, ~inside)
    )
    order = sorted(
        range(len(terms.names)), key=lambda i: (outside_weight[i] - inside_weight[i], terms.names[i])
    )
    chosen: list[str] = []
    for i in order:
        if len(chosen) == _WORDS or inside_weight[i] <= outside_weight[i]:
            return
        if not any(terms.names[i] in other or other in terms.names[i] for other in chosen):
            chosen.append(terms.names[i])
            yield terms.names[i]
