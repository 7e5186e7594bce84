"""How much of a version's loss other conversations take away: what there is to learn from them, without training.

The version's distribution of the next token is mixed with one that is counted in other conversations (cache models: Kuhn
and De Mori, IEEE PAMI 12(6), 1990; Grave, Joulin and Usunier, arXiv:1612.04426):

    p(w | past) = (1 - share) p_version(w | past) + share p_counted(w | the token before)

A version that knows a subject has no use for its words being counted once more, however high its loss is; one that does
not know it gains, however low. So the gain compares across subjects, where the loss itself does not.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Shares of the counted distribution to choose from.
_SHARES = np.array([0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5])
#: How many times a token must have been seen for what followed it to weigh as much as what is said at all.
_BACKOFF = 2.0
#: A token may be held to be so unlikely; beyond, exponentials overflow.
_MOST_NATS = 500.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredConversation:
    """What an assistant said in one conversation, and how surprising each token was to the live version."""

    id: str
    tokens: tuple[int, ...]  # one at least
    nats: tuple[float, ...]  # negative log-likelihood of each


def learnable_losses(
    pupils: Sequence[ScoredConversation], teachers: Sequence[ScoredConversation] | None = None
) -> Floats:
    """Return the nats by which each conversation's loss falls by what ``teachers`` say; there is one pupil at least.

    Without teachers, the other pupils are: of everybody's counts one's own are taken off. The share is chosen on the
    others, so a gain is no artefact of choosing, and may be below 0.
    """
    counted = _Counts.of(pupils if teachers is None else teachers)
    tried = np.array([_gains(pupil, counted, own=teachers is None) for pupil in pupils])
    chosen = (tried.sum(axis=0) - tried).argmax(axis=1)
    return np.asarray(tried[np.arange(len(pupils)), chosen])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Counts:
    """How often tokens, and pairs of adjacent ones, were said."""

    single: Counter[int]
    before: Counter[int]
    pairs: Counter[tuple[int, int]]
    total: int

    @staticmethod
    def of(scored: Iterable[ScoredConversation]) -> "_Counts":
        single: Counter[int] = Counter()
        before: Counter[int] = Counter()
        pairs: Counter[tuple[int, int]] = Counter()
        for conversation in scored:
            single.update(conversation.tokens)
            before.update(_previous(conversation.tokens))
            pairs.update(zip(_previous(conversation.tokens), conversation.tokens, strict=True))
        return _Counts(single=single, before=before, pairs=pairs, total=single.total())


#: Stands before the first token.
_START = -1


def _previous(tokens: Sequence[int]) -> Sequence[int]:
    return (_START, *tokens[:-1])


def _gains(pupil: ScoredConversation, counts: _Counts, *, own: bool) -> Floats:
    """Return the gain in nats at each share."""
    own_counts = _Counts.of([pupil] if own else [])
    total = max(1, counts.total - own_counts.total)
    counted = np.empty(len(pupil.tokens))
    for i, (before, token) in enumerate(zip(_previous(pupil.tokens), pupil.tokens, strict=True)):
        single = (counts.single[token] - own_counts.single[token]) / total
        seen = counts.before[before] - own_counts.before[before]
        pairs = counts.pairs[before, token] - own_counts.pairs[before, token]
        counted[i] = (pairs + _BACKOFF * single) / (seen + _BACKOFF)
    # Relative to the version's likelihood, which is above 0 wherever its loss is finite.
    relative = counted * np.exp(np.minimum(pupil.nats, _MOST_NATS))
    return np.asarray(np.log1p(_SHARES * (relative[:, None] - 1)).sum(axis=0))
