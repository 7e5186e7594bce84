"""Finds changes in spelling that changed words do not explain: endings, code, signs."""

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, norm

from monitors.explanation.changed_terms import MIN_Z, changes, log_odds, most_certain_first, without_overlaps
from monitors.explanation.terms import Terms, terms_of
from monitors.texts import is_han, without_words
from monitors.types import Change, Sample

_LENGTHS = (1, 2, 3)
#: Characters of a text that are read.
_CHARACTERS = 2_000
_FALSE_DISCOVERIES = 0.1  # maximum expected share of the n-grams named
#: Unicode categories that show nothing by themselves: marks, joiners, spaces.
_INVISIBLE = "MCZ"


def changed_characters(
    texts: Sequence[str], samples: Sequence[Sample], is_new: NDArray[np.bool_], words: Terms, *, limit: int
) -> list[Change]:
    """Return at most ``limit`` character n-grams whose share changed, outside of the words that changed.

    ``words``: the words of ``texts``. N-grams count once in a conversation, and only if at least three users wrote them.
    At most one in ten of those named is expected to be there by chance (Benjamini and Hochberg 1995).
    """
    z = log_odds(words, is_new)
    changed = {words.names[i] for i in np.flatnonzero(np.abs(z) >= MIN_Z)}
    left = (without_words(text[:_CHARACTERS], changed) for text in texts)
    grams = terms_of((_grams(text) for text in left), samples)
    if not grams.names:
        return []
    z = log_odds(grams, is_new)
    significant = false_discovery_control(2 * norm.sf(np.abs(z))) <= _FALSE_DISCOVERIES
    known = frozenset(words.names)
    found = (i for i in most_certain_first(grams.names, z) if significant[i] and grams.names[i] not in known)
    return without_overlaps(changes("characters", grams, is_new, z, found), limit=limit, longer_too=True)


def _grams(text: str) -> Iterator[str]:
    """Yield n-grams within runs between spaces. Single letters are left out, single signs and Han characters are not."""
    for run in text.split():
        for n in _LENGTHS:
            for at in range(len(run) - n + 1):
                gram = run[at : at + n]
                if (n > 1 or not gram.isalnum() or is_han(gram)) and _is_visible(gram[0]):
                    yield gram


def _is_visible(character: str) -> bool:
    return character.isascii() or unicodedata.category(character)[0] not in _INVISIBLE
