"""Which characters a window has more or less of than its words tell: endings, code, signs."""

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, norm

from monitors.explanation.changed_terms import TELLING, apart, changes, log_odds, surest_first
from monitors.explanation.terms import Terms, terms_of
from monitors.texts import is_han, without_words
from monitors.types import Change, Sample

_LENGTHS = (1, 2, 3)
#: Characters of a text that are looked at: what is new in how it is written shows in them.
_CHARACTERS = 2_000
_FALSE_DISCOVERIES = 0.1  # share of those named: there are far more n-grams than words
#: Kinds of characters that show as nothing by themselves: marks, joiners, spaces.
_ATTACHED = "MCZ"


def changed_characters(
    texts: Sequence[str], samples: Sequence[Sample], is_new: NDArray[np.bool_], words: Terms, *, limit: int
) -> list[Change]:
    """Return at most ``limit`` character n-grams whose share changed in what changed words leave of the texts.

    They are counted as words are, once in a conversation, and left out where fewer than three users write them. Of all
    that are named, one in ten is by chance, at most (Benjamini and Hochberg 1995). ``words``: those of the texts.
    """
    z = log_odds(words, is_new)
    gone = {words.names[i] for i in np.flatnonzero(np.abs(z) >= TELLING)}
    left = (without_words(text[:_CHARACTERS], gone) for text in texts)
    grams = terms_of((_grams(text) for text in left), samples)
    if not grams.names:
        return []
    z = log_odds(grams, is_new)
    sure = false_discovery_control(2 * norm.sf(np.abs(z))) <= _FALSE_DISCOVERIES
    known = frozenset(words.names)
    found = (i for i in surest_first(grams.names, z) if sure[i] and grams.names[i] not in known)
    return apart(changes("characters", grams, is_new, z, found), limit=limit, longer_too=True)


def _grams(text: str) -> Iterator[str]:
    """Yield n-grams that don't cross spaces. A lone letter tells nothing, but a lone sign or Chinese character does."""
    for run in text.split():
        for n in _LENGTHS:
            for at in range(len(run) - n + 1):
                gram = run[at : at + n]
                if (n > 1 or not gram.isalnum() or is_han(gram)) and _shows(gram[0]):
                    yield gram


def _shows(character: str) -> bool:
    return character.isascii() or unicodedata.category(character)[0] not in _ATTACHED
