"""Pairs conversations of two sets that ask the same question."""

from collections.abc import Sequence

import numpy as np

from monitors.sample_requirements import limit_per_group
from monitors.texts import user_text, words
from monitors.types import Sample

#: Jaccard similarity of the words of two questions from which on they count as the same.
_MIN_SIMILARITY = 0.5
#: Characters of a text that are read.
_CHARACTERS = 1_000


def same_questions(
    new: Sequence[Sample], reference: Sequence[Sample], *, limit: int
) -> list[tuple[Sample, Sample]]:
    """Return at most ``limit`` pairs (new, reference), the most similar first. No user is in two pairs."""
    asked, known = limit_per_group(new, 1), limit_per_group(reference, 1)
    places: dict[str, list[int]] = {}
    known_words = [_words(sample) for sample in known]
    for place, words_there in enumerate(known_words):
        for word in words_there:
            places.setdefault(word, []).append(place)
    sizes = np.array([len(words_there) for words_there in known_words])
    found: list[tuple[float, int, int]] = []
    for number, sample in enumerate(asked):
        asked_words = _words(sample)
        shared = [place for word in asked_words for place in places.get(word, ())]
        common = np.bincount(np.array(shared, dtype=np.intp), minlength=len(known))
        similarity = common / np.maximum(1, sizes + len(asked_words) - common)
        similar = np.flatnonzero(similarity >= _MIN_SIMILARITY)
        found += [(-similarity[place], number, int(place)) for place in similar]
    return [(asked[number], known[place]) for number, place in _disjoint(sorted(found))[:limit]]


def _words(sample: Sample) -> set[str]:
    return set(words(user_text(sample)[:_CHARACTERS]))


def _disjoint(ranked: Sequence[tuple[float, int, int]]) -> list[tuple[int, int]]:
    """Select pairs in order, using each member once."""
    asked: set[int] = set()
    known: set[int] = set()
    taken = []
    for _, number, place in ranked:
        if number not in asked and place not in known:
            asked.add(number)
            known.add(place)
            taken.append((number, place))
    return taken
