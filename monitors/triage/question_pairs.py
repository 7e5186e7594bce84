"""Finds, in two sets of conversations, pairs that ask the same."""

from collections.abc import Sequence

import numpy as np

from monitors.sample_requirements import limit_per_group
from monitors.texts import user_text, words
from monitors.types import Sample

#: Share of the words of two questions that both have (Jaccard), from which on they count as the same one.
_ALIKE = 0.5
#: Characters of a text that are looked at: who asks the same asks it at the beginning.
_CHARACTERS = 1_000


def same_questions(
    new: Sequence[Sample], reference: Sequence[Sample], *, limit: int
) -> list[tuple[Sample, Sample]]:
    """Return at most ``limit`` pairs (new, reference), the most alike first; no user is in two of them."""
    asked, known = limit_per_group(new, 1), limit_per_group(reference, 1)
    places: dict[str, list[int]] = {}
    said = [_words(sample) for sample in known]
    for place, spoken in enumerate(said):
        for word in spoken:
            places.setdefault(word, []).append(place)
    sizes = np.array([len(spoken) for spoken in said])
    found: list[tuple[float, int, int]] = []
    for number, sample in enumerate(asked):
        spoken = _words(sample)
        shared = [place for word in spoken for place in places.get(word, ())]
        common = np.bincount(np.array(shared, dtype=np.intp), minlength=len(known))
        alike = common / np.maximum(1, sizes + len(spoken) - common)
        found += [(-alike[place], number, int(place)) for place in np.flatnonzero(alike >= _ALIKE)]
    return [(asked[number], known[place]) for number, place in _disjoint(sorted(found))[:limit]]


def _words(sample: Sample) -> set[str]:
    return set(words(user_text(sample)[:_CHARACTERS]))


def _disjoint(ranked: Sequence[tuple[float, int, int]]) -> list[tuple[int, int]]:
    """Take pairs in their order, each side's members once."""
    asked: set[int] = set()
    known: set[int] = set()
    taken = []
    for _, number, place in ranked:
        if number not in asked and place not in known:
            asked.add(number)
            known.add(place)
            taken.append((number, place))
    return taken
