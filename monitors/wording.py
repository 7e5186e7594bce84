"""Which words a window has more or less of than the reference."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from monitors.texts import user_text, words
from monitors.types import Change, Sample

#: Weight of what both sides say together, in words: how much it takes to believe in a rare one.
_PRIOR = 500.0
#: Words of fewer users are theirs: a name, say. What all can read must not tell what one has said.
_LEAST_GROUPS = 3
_TELLING = 2.0  # z-score


def changed_words(reference: Sequence[Sample], window: Sequence[Sample], *, limit: int) -> list[Change]:
    """Return at most ``limit`` words by how surely their share of the text changed, surest first.

    Log-odds with an informative Dirichlet prior (Monroe, Colaresi, Quinn: Fightin' Words, 2008). A
    word said a hundred times in one conversation counts once, so that a chatty one doesn't dominate, and one
    that fewer than three users say is left out.
    """
    before, after = _conversations_with(reference), _conversations_with(window)
    both = before + after
    said_by = _groups_with([*reference, *window])
    vocabulary = [word for word in both if said_by[word] >= _LEAST_GROUPS]
    if not vocabulary or not before or not after:
        return []
    pooled = np.array([both[word] for word in vocabulary], dtype=np.float64)
    prior = _PRIOR * pooled / pooled.sum()
    sides = [np.array([side[word] for word in vocabulary]) + prior for side in (after, before)]
    log_odds = [np.log(side) - np.log(side.sum() - side) for side in sides]
    z = (log_odds[0] - log_odds[1]) / np.sqrt(1 / sides[0] + 1 / sides[1])
    changes: list[Change] = []
    for i in sorted(range(len(vocabulary)), key=lambda i: (-abs(z[i]), -len(vocabulary[i]), vocabulary[i])):
        if len(changes) == limit or abs(z[i]) < _TELLING:
            break
        word = vocabulary[i]
        if not any(word in known.name and known.score * z[i] > 0 for known in changes):
            changes.append(
                Change(
                    aspect="word",
                    name=word,
                    reference=before[word] / before.total(),
                    window=after[word] / after.total(),
                    score=float(z[i]),
                )
            )
    return changes


def _conversations_with(samples: Sequence[Sample]) -> Counter[str]:
    return Counter(word for sample in samples for word in set(words(user_text(sample))))


def _groups_with(samples: Sequence[Sample]) -> Counter[str]:
    return Counter(
        word for _, word in {(sample.group, word) for sample in samples for word in words(user_text(sample))}
    )
