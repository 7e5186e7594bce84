"""Which pieces of text (words, characters) conversations have, of those that more than a few users write."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

from monitors.types import Sample

#: Pieces of fewer users are theirs: a name, say. What all can read must not tell what one has said.
LEAST_GROUPS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """The pieces of conversations, each counted once in a conversation, so that a chatty one doesn't dominate."""

    names: tuple[str, ...]
    has: csr_matrix  # conversations x names: 1.0 where the conversation has the piece
    totals: NDArray[np.float64]  # distinct pieces of each conversation, those of few users too


def terms_of(found: Iterable[Iterable[str]], samples: Sequence[Sample]) -> Terms:
    """Return the pieces that at least three users wrote. ``found``: all of each sample's."""
    sets = [set(pieces) for pieces in found]
    totals = np.array([len(pieces) for pieces in sets], dtype=np.float64)
    if not any(sets):
        return Terms(names=(), has=csr_matrix((len(sets), 0)), totals=totals)
    counter = CountVectorizer(analyzer=sorted, dtype=np.float64)
    has = csr_matrix(counter.fit_transform(sets))
    shared = np.flatnonzero(_groups_with(has, samples) >= LEAST_GROUPS)
    names = counter.get_feature_names_out()
    return Terms(names=tuple(str(names[i]) for i in shared), has=csr_matrix(has[:, shared]), totals=totals)


def _groups_with(has: csr_matrix, samples: Sequence[Sample]) -> NDArray[np.intp]:
    groups, index = np.unique([sample.group for sample in samples], return_inverse=True)
    said_by = csr_matrix(
        (np.ones(len(samples)), (index, np.arange(len(samples)))), shape=(len(groups), len(samples))
    )
    return np.asarray((said_by @ has > 0).sum(axis=0)).ravel()
