"""Conversations as vectors, for detectors that need an embedding."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from monitors.bench.worlds import World, pool_id
from monitors.texts import reply_text, user_text, words
from monitors.types import Sample

DIMENSIONS = 64

Floats = NDArray[np.float64]
Vectors = Mapping[str, Floats]


def everything_said(sample: Sample) -> str:
    """Return what the user and the assistant said: others see as much of a conversation as our detector does."""
    return f"{user_text(sample)}\n{reply_text(sample)}"


def embed(world: World, *, seed: int = 0) -> Vectors:
    """Return a vector of unit length for each conversation of a world (latent semantic analysis), by its id.

    It is fitted on what is usual and what will be new alike. That is more than anybody could have, so that no
    detector loses by its embedding; and as it was not fitted on the reference, it doesn't tell the two apart.
    """
    together = [sample for regime in (*world.before.values(), world.after) for sample in regime]
    samples = sorted(together, key=lambda sample: sample.id)  # the same, whichever of them is new
    counted = TfidfVectorizer(analyzer=words, sublinear_tf=True, min_df=2).fit_transform(
        [everything_said(sample) for sample in samples]
    )
    reduced = TruncatedSVD(min(DIMENSIONS, counted.shape[1] - 1), random_state=seed).fit_transform(counted)
    rows = normalize(np.asarray(reduced, dtype=np.float64))
    return {sample.id: row for sample, row in zip(samples, rows, strict=True)}


def matrix(vectors: Vectors, samples: Sequence[Sample]) -> Floats:
    """Return the vectors of samples of a stream, a row each."""
    return np.array([vectors[pool_id(sample)] for sample in samples])
