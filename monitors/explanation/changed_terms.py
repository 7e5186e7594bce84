"""Which words, or other pieces of text, a window has more or less of than the reference."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from monitors.explanation.terms import Terms
from monitors.types import Change

#: Weight of what both sides say together, in words: how much it takes to believe in a rare one.
_PRIOR = 500.0
TELLING = 2.0  # z-score

Floats = NDArray[np.float64]


def changed_words(said: Terms, is_new: NDArray[np.bool_], *, limit: int) -> list[Change]:
    """Return at most ``limit`` words whose share of the text changed, surest first. ``is_new``: the window's rows.

    Half of them are such as the window has more of, as far as there are so many: where a topic or a language takes
    another's place, what is gone is surer than what is new. A word within another that changed the same way, as Chinese
    ones often are, is left out.
    """
    z = log_odds(said, is_new)
    found = [i for i in surest_first(said.names, z) if abs(z[i]) >= TELLING]
    more, less = (
        apart(changes("word", said, is_new, z, [i for i in found if sign * z[i] > 0]), limit=limit)
        for sign in (1, -1)
    )
    named = more[: max(limit - limit // 2, limit - len(less))]
    named += less[: limit - len(named)]
    return sorted(named, key=lambda change: -abs(change.score))


def log_odds(said: Terms, is_new: NDArray[np.bool_]) -> Floats:
    """Return the z-score of each piece's change; positive where the window has more of it.

    Log-odds with an informative Dirichlet prior (Monroe, Colaresi, Quinn: Fightin' Words, 2008). A side without any
    piece changes nothing, nor does the only piece there is.
    """
    after, before = (_count(said, rows) for rows in (is_new, ~is_new))
    if len(said.names) < 2 or not after.any() or not before.any():
        return np.zeros(len(said.names))
    pooled = after + before
    prior = _PRIOR * pooled / pooled.sum()
    sides = [side + prior for side in (after, before)]
    odds = [np.log(side) - np.log(side.sum() - side) for side in sides]
    return np.asarray((odds[0] - odds[1]) / np.sqrt(1 / sides[0] + 1 / sides[1]))


def surest_first(names: Sequence[str], z: Floats) -> list[int]:
    """Return the numbers of the pieces by how sure their change is, the longer ones first among equals."""
    return sorted(range(len(names)), key=lambda i: (-abs(z[i]), -len(names[i]), names[i]))


def changes(
    aspect: str, said: Terms, is_new: NDArray[np.bool_], z: Floats, chosen: Iterable[int]
) -> Iterator[Change]:
    """Yield the change of each chosen piece, as its share of all pieces, those of few users too."""
    after, before = (_count(said, rows) / max(1.0, said.totals[rows].sum()) for rows in (is_new, ~is_new))
    for i in chosen:
        yield Change(
            aspect=aspect,
            name=said.names[i],
            reference=float(before[i]),
            window=float(after[i]),
            score=float(z[i]),
        )


def apart(found: Iterable[Change], *, limit: int, longer_too: bool = False) -> list[Change]:
    """Return the first ``limit`` that are not within one before that changed the same way, nor around one if so asked."""
    known: list[Change] = []
    for change in found:
        if len(known) == limit:
            break
        alike = (other.name for other in known if other.score * change.score > 0)
        if not any(change.name in name or (longer_too and name in change.name) for name in alike):
            known.append(change)
    return known


def _count(said: Terms, rows: NDArray[np.bool_]) -> Floats:
    return np.asarray(said.has[rows].sum(axis=0), dtype=np.float64).ravel()
