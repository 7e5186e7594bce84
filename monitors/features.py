"""Turns texts of any language into vectors of character n-grams."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import (
    HashingVectorizer,
    TfidfTransformer,
)

_BUCKETS = 2**16
_LENGTHS = (1, 3)


def text_features(texts: Sequence[str]) -> csr_matrix:
    """Return a row of unit length for each text: log-scaled counts of its 1- to 3-grams, weighted by rarity.

    The weights come from all given texts alike. A permutation test stays exact only if the features do not depend on which
    text is the window's, so never fit them on the reference alone. An empty text is a row of zeros.
    """
    counts = HashingVectorizer(
        analyzer="char", ngram_range=_LENGTHS, n_features=_BUCKETS, norm=None, alternate_sign=False
    ).transform([text.strip() for text in texts])
    return csr_matrix(TfidfTransformer(sublinear_tf=True).fit_transform(counts), dtype=np.float64)
