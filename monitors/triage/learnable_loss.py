"""Estimates how much loss training on conversations would remove, without training.

The version's distribution of the next token is mixed with one that is counted in other conversations (cache models: Kuhn
and De Mori, IEEE PAMI 12(6), 1990; Grave, Joulin and Usunier, arXiv:1612.04426):

    p(w | past) = (1 - share) p_version(w | past) + share p_counted(w | the token before)

A version that knows a subject gains nothing from counting its words, however high its loss; one that does not know it
gains, however low its loss. So the gain compares across subjects, unlike the loss itself.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Candidate shares of the counted distribution.
_SHARES = np.array([0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5])
#: Count of a token from which on its successors have as much weight as the overall frequencies.
_BACKOFF = 2.0
#: Upper bound of a token's loss, so that exponentials don't overflow.
_MAX_NATS = 500.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredConversation:
    """The assistant's tokens in one conversation, with the live version's loss on each."""

    id: str
    tokens: tuple[int, ...]  # at least one
    nats: tuple[float, ...]  # negative log-likelihood of each


def learnable_losses(
    conversations: Sequence[ScoredConversation], teachers: Sequence[ScoredConversation] | None = None
) -> Floats:
    """Return the nats by which counts of the ``teachers`` reduce each conversation's loss.

    Without teachers, the other conversations teach. The share is chosen on the other conversations, so that the choice does
    not inflate the gain; a gain may be below 0. Needs at least one conversation.
    """
    counted = _Counts.of(conversations if teachers is None else teachers)
    tried = np.array([_gains(conversation, counted, own=teachers is None) for conversation in conversations])
    chosen = (tried.sum(axis=0) - tried).argmax(axis=1)
    return np.asarray(tried[np.arange(len(conversations)), chosen])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Counts:
    """Counts of tokens and of pairs of adjacent tokens."""

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


#: The token before the first one.
_START = -1


def _previous(tokens: Sequence[int]) -> Sequence[int]:
    return (_START, *tokens[:-1])


def _gains(conversation: ScoredConversation, counts: _Counts, *, own: bool) -> Floats:
    """Return the gain in nats at each share."""
    own_counts = _Counts.of([conversation] if own else [])
    total = max(1, counts.total - own_counts.total)
    counted = np.empty(len(conversation.tokens))
    for i, (before, token) in enumerate(
        zip(_previous(conversation.tokens), conversation.tokens, strict=True)
    ):
        single = (counts.single[token] - own_counts.single[token]) / total
        seen = counts.before[before] - own_counts.before[before]
        pairs = counts.pairs[before, token] - own_counts.pairs[before, token]
        counted[i] = (pairs + _BACKOFF * single) / (seen + _BACKOFF)
    # Relative to the version's likelihood, which is above 0 wherever its loss is finite.
    relative = counted * np.exp(np.minimum(conversation.nats, _MAX_NATS))
    return np.asarray(np.log1p(_SHARES * (relative[:, None] - 1)).sum(axis=0))
