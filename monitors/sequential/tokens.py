"""Turns each aspect of a conversation into tokens that the sequential detector bets on.

Texts give their words in any script, numbers the bucket they fall into, vectors their sides of hyperplanes. Nothing is
fitted to the data, so that tokens of the reference and of the stream are exchangeable.
"""

import zlib
from collections.abc import Iterable, Mapping
from math import log2

import numpy as np
from numpy.typing import NDArray

from monitors.defects import defects_of
from monitors.sequential.hyperplanes import CODES, Vector, codes_of
from monitors.shape import language_of, script_of, shape_of
from monitors.texts import reply_text, user_text, words
from monitors.types import Aspect, Sample

Tokens = NDArray[np.int32]

#: Buckets of each aspect's tokens; tokens that share a bucket count as the same.
BUCKETS: Mapping[Aspect, int] = {
    Aspect.INPUT: 2**14,
    Aspect.REPLY: 2**14,
    Aspect.LANGUAGE: 2**8,
    Aspect.SHAPE: 2**8,
    Aspect.DEFECTS: 2**6,
    Aspect.LABEL: 2**9,
    Aspect.EMBEDDING: CODES,
}
#: Characters of a text that are read.
_CHARACTERS = 4_000
_LANGUAGE_CHARACTERS = 100


def tokens_of(sample: Sample, centre: Vector | None = None) -> dict[Aspect, Tokens]:
    """Return the distinct tokens of each aspect; an aspect without tokens is left out.

    The embedding has tokens only where the ``centre`` of the vectors is known.
    """
    asked, replied = user_text(sample)[:_CHARACTERS], reply_text(sample)[:_CHARACTERS]
    names = {
        Aspect.INPUT: _text(asked),
        Aspect.REPLY: _text(replied),
        Aspect.LANGUAGE: _language(asked),
        Aspect.SHAPE: _shape(sample),
        Aspect.DEFECTS: _defects(sample),
        Aspect.LABEL: {f"{field}={value}" for field, value in sample.labels},
    }
    tokens = {aspect: _hashed(found, BUCKETS[aspect]) for aspect, found in names.items() if found}
    if centre is not None and sample.embedding and len(codes := codes_of(sample.embedding, centre)):
        tokens[Aspect.EMBEDDING] = codes
    return tokens


def _hashed(names: Iterable[str], buckets: int) -> Tokens:
    return np.fromiter({zlib.crc32(name.encode()) % buckets for name in names}, dtype=np.int32)


def _text(text: str) -> set[str]:
    """Return the words; where there are none (emoji, digits, punctuation), the characters."""
    return set(words(text)) or set(text.split())


def _language(text: str) -> set[str]:
    script = script_of(text)
    return {f"script {script}", f"language {language_of(text[:_LANGUAGE_CHARACTERS], script)}"}


def _shape(sample: Sample) -> set[str]:
    return {f"{name} {_bucket(value)}" for name, value in shape_of(sample).items()}


def _bucket(value: float) -> int:
    """Return the number of a step of about 40%, so that one word more or less is no change."""
    return round(2 * log2(1 + value))


def _defects(sample: Sample) -> set[str]:
    return {f"{name} {has}" for name, has in defects_of(sample).items()}
