"""Embeds conversations for detectors that need vectors."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from monitors.bench.populations import Population, pool_id
from monitors.texts import reply_text, user_text, words
from monitors.types import Sample

DIMENSIONS = 64

Floats = NDArray[np.float64]
Vectors = Mapping[str, Floats]


def full_text(sample: Sample) -> str:
    """Return the text of user and assistant, which our detector reads as well."""
    return f"{user_text(sample)}\n{reply_text(sample)}"


def embed(population: Population, *, seed: int = 0) -> Vectors:
    """Return a vector of unit length for each conversation of a population (latent semantic analysis), by its id.

    It is fitted on the conversations before and after the change. That is more than is known in practice, so no detector
    is at a disadvantage by its embedding; and as it is not fitted on the reference, it does not separate reference and stream.
    """
    together = [sample for regime in (*population.before.values(), population.after) for sample in regime]
    samples = sorted(together, key=lambda sample: sample.id)  # independent of which is new
    counted = TfidfVectorizer(analyzer=words, sublinear_tf=True, min_df=2).fit_transform(
        [full_text(sample) for sample in samples]
    )
    reduced = TruncatedSVD(min(DIMENSIONS, counted.shape[1] - 1), random_state=seed).fit_transform(counted)
    rows = normalize(np.asarray(reduced, dtype=np.float64))
    return {sample.id: row for sample, row in zip(samples, rows, strict=True)}


def matrix(vectors: Vectors, samples: Sequence[Sample]) -> Floats:
    """Return the vectors of samples of a stream, one row each."""
    return np.array([vectors[pool_id(sample)] for sample in samples])
