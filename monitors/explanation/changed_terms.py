"""Finds the terms (words or character n-grams) that a window has more or less of than the reference."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from monitors.explanation.terms import Terms
from monitors.types import Change

#: Weight of the prior, which is the pooled frequencies of both sides, in terms. Larger: rare terms need more evidence.
_PRIOR = 500.0
MIN_Z = 2.0  # z-score from which on a word is named

Floats = NDArray[np.float64]


def changed_words(terms: Terms, is_new: NDArray[np.bool_], *, limit: int) -> list[Change]:
    """Return at most ``limit`` words whose share of the text changed, most certain first. ``is_new``: the window's rows.

    Half of them are words that became more common, as far as there are so many: where one language or topic replaces
    another, the words that disappeared are more certain than the new ones. A word within another that changed in the same
    direction, as is common in Chinese, is left out.
    """
    z = log_odds(terms, is_new)
    found = [i for i in most_certain_first(terms.names, z) if abs(z[i]) >= MIN_Z]
    more, less = (
        without_overlaps(
            changes("word", terms, is_new, z, [i for i in found if sign * z[i] > 0]), limit=limit
        )
        for sign in (1, -1)
    )
    named = more[: max(limit - limit // 2, limit - len(less))]
    named += less[: limit - len(named)]
    return sorted(named, key=lambda change: -abs(change.score))


def log_odds(terms: Terms, is_new: NDArray[np.bool_]) -> Floats:
    """Return the z-score of each term's change; positive where the window has more of it.

    Log-odds with an informative Dirichlet prior (Monroe, Colaresi and Quinn, *Fightin' words*, 2008). All scores are 0
    where a side has no terms, or where there is only one term.
    """
    after, before = (_count(terms, rows) for rows in (is_new, ~is_new))
    if len(terms.names) < 2 or not after.any() or not before.any():
        return np.zeros(len(terms.names))
    pooled = after + before
    prior = _PRIOR * pooled / pooled.sum()
    sides = [side + prior for side in (after, before)]
    odds = [np.log(side) - np.log(side.sum() - side) for side in sides]
    return np.asarray((odds[0] - odds[1]) / np.sqrt(1 / sides[0] + 1 / sides[1]))


def most_certain_first(names: Sequence[str], z: Floats) -> list[int]:
    """Return the numbers of the terms, most certain change first, longer terms first among equals."""
    return sorted(range(len(names)), key=lambda i: (-abs(z[i]), -len(names[i]), names[i]))


def changes(
    aspect: str, terms: Terms, is_new: NDArray[np.bool_], z: Floats, chosen: Iterable[int]
) -> Iterator[Change]:
    """Yield the change of each chosen term, in shares of all terms, including those of few users."""
    after, before = (_count(terms, rows) / max(1.0, terms.totals[rows].sum()) for rows in (is_new, ~is_new))
    for i in chosen:
        yield Change(
            aspect=aspect,
            name=terms.names[i],
            reference=float(before[i]),
            window=float(after[i]),
            score=float(z[i]),
        )


def without_overlaps(found: Iterable[Change], *, limit: int, longer_too: bool = False) -> list[Change]:
    """Return the first ``limit`` changes that are not within an earlier one of the same direction.

    With ``longer_too``, those that contain an earlier one are left out as well.
    """
    chosen: list[Change] = []
    for change in found:
        if len(chosen) == limit:
            break
        same_direction = (other.name for other in chosen if other.score * change.score > 0)
        if not any(change.name in name or (longer_too and name in change.name) for name in same_direction):
            chosen.append(change)
    return chosen


def _count(terms: Terms, rows: NDArray[np.bool_]) -> Floats:
    return np.asarray(terms.has[rows].sum(axis=0), dtype=np.float64).ravel()
