"""Counts the terms (words or character n-grams) of conversations that several users wrote."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

from monitors.types import Sample

#: Fewest users of a term that may be named: rarer terms, such as names, could identify a user.
MIN_GROUPS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """The terms of conversations. A term counts once in a conversation, so that a long one does not dominate."""

    names: tuple[str, ...]
    has: csr_matrix  # conversations x names: 1.0 where the conversation has the term
    totals: NDArray[np.float64]  # distinct terms of each conversation, including those of few users


def terms_of(found: Iterable[Iterable[str]], samples: Sequence[Sample]) -> Terms:
    """Return the terms that at least three users wrote. ``found``: all terms of each sample."""
    sets = [set(terms) for terms in found]
    totals = np.array([len(terms) for terms in sets], dtype=np.float64)
    if not any(sets):
        return Terms(names=(), has=csr_matrix((len(sets), 0)), totals=totals)
    counter = CountVectorizer(analyzer=sorted, dtype=np.float64)
    has = csr_matrix(counter.fit_transform(sets))
    shared = np.flatnonzero(_groups_with(has, samples) >= MIN_GROUPS)
    names = counter.get_feature_names_out()
    return Terms(names=tuple(str(names[i]) for i in shared), has=csr_matrix(has[:, shared]), totals=totals)


def _groups_with(has: csr_matrix, samples: Sequence[Sample]) -> NDArray[np.intp]:
    groups, index = np.unique([sample.group for sample in samples], return_inverse=True)
    said_by = csr_matrix(
        (np.ones(len(samples)), (index, np.arange(len(samples)))), shape=(len(groups), len(samples))
    )
    return np.asarray((said_by @ has > 0).sum(axis=0)).ravel()
