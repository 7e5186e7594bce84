"""What conversations are about, found by clustering, and whose share of the users changed."""

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
from monitors.sample_requirements import ranks
from monitors.types import Sample, Topic

_DIMENSIONS = 50
_MOST = 20  # topics: more are not read
_STARTS = 3  # of the clustering, of which the tightest is taken
_FALSE_DISCOVERIES = 0.1
_WORDS = 5  # that name a topic


def changed_topics(
    said: Terms, samples: Sequence[Sample], is_new: NDArray[np.bool_], *, seed: int
) -> tuple[Topic, ...]:
    """Return the topics whose share of the users changed, surest first. ``is_new``: the window's rows.

    Conversations of both sides are clustered together, blind to their side, into as many topics as the square root of a
    quarter of the users, by spherical k-means on latent semantic analysis (Deerwester et al. 1990; Dhillon and Modha
    2001). One conversation of each user counts, so Fisher's exact test of the two shares holds; of all topics that are
    returned one in ten is there by chance, at most (Benjamini and Hochberg 1995).
    """
    weights = (
        csr_matrix(TfidfTransformer(sublinear_tf=True).fit_transform(said.has)) if said.names else said.has
    )
    counts = (np.array(ranks(samples)) == 0) & (weights.getnnz(axis=1) > 0)
    one_word = weights.shape[1] < 2
    if one_word or not (counts & is_new).any() or not (counts & ~is_new).any():
        return ()
    labels = _clustered(weights, _number(int(counts.sum())), seed)
    found = list(np.unique(labels[counts]))
    tables = [_table(labels == topic, counts, is_new) for topic in found]
    sure = false_discovery_control([fisher_exact(table).pvalue for table in tables])
    named = (
        Topic(
            words=tuple(_names(said, weights, labels == topic)),
            reference=float(table[1, 0] / table[1].sum()),
            window=float(table[0, 0] / table[0].sum()),
            false_discovery=float(q),
        )
        for topic, table, q in zip(found, tables, sure, strict=True)
        if q <= _FALSE_DISCOVERIES
    )
    return tuple(sorted(named, key=lambda topic: (topic.false_discovery, topic.words)))


def _number(users: int) -> int:
    return max(2, min(_MOST, round(sqrt(users / 4))))


def _clustered(weights: csr_matrix, number: int, seed: int) -> NDArray[np.intp]:
    """Return each conversation's topic; -1 for one that says nothing that others say."""
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
    """Return users in and out of the topic, of the window, then of the reference."""
    sides = (counts & is_new, counts & ~is_new)
    return np.array([[(side & inside).sum(), (side & ~inside).sum()] for side in sides])


def _names(said: Terms, weights: csr_matrix, inside: NDArray[np.bool_]) -> Iterator[str]:
    """Yield the words that weigh more within the topic than without, none within another."""
    within, without = (np.asarray(weights[rows].mean(axis=0)).ravel() for rows in (inside, ~inside))
    order = sorted(range(len(said.names)), key=lambda i: (without[i] - within[i], said.names[i]))
    chosen: list[str] = []
    for i in order:
        if len(chosen) == _WORDS or within[i] <= without[i]:
            return
        if not any(said.names[i] in other or other in said.names[i] for other in chosen):
            chosen.append(said.names[i])
            yield said.names[i]
