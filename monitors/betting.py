"""Bets on which of two conversations is the fresh one, learning from the stream what fresh ones say."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitors.tokens import Tokens

Floats = NDArray[np.float64]

#: Fresh conversations that each expert learns from: the shorter, the sooner it sees a sudden change; the longer, the
#: smaller a change it sees. Well below the size of a reference, whose own luck would else be learned.
HORIZONS = (25, 100, 400)
#: How far each expert trusts its log-odds. Words come together, so that their sum says too much: 1 is too bold.
SLOPES = (0.03, 0.1, 0.3, 1.0)
#: Conversations that the reference weighs in what an expert takes for fresh.
_PRIOR = 16.0
_SMOOTHING = 0.5  # of the counts of the reference, in each bucket (Krichevsky and Trofimov 1981)
_MOST = 30.0  # of a log-odds, so that its exponential is finite

EXPERTS = len(HORIZONS) * len(SLOPES) + 1  # one of them never bets


class Bettor:
    """Naive-Bayes experts on one aspect.

    A payoff is 2 / (1 + exp(-slope (s(fresh) - s(drawn)))), with s the log-odds of a conversation's tokens between the
    latest ones and the reference. While fresh and drawn are exchangeable it is 1 on average, whatever s is, as the two
    orders of the pair pay 2 together: s must only not know which is which. So the drawn one is left out of the counts
    of the reference, and the fresh one is learned after the bet.
    """

    def __init__(self, reference: Sequence[Tokens], *, buckets: int) -> None:
        self._reference = reference
        self._past = np.zeros(buckets)
        for tokens in reference:
            self._past[tokens] += 1
        self._total = float(sum(len(tokens) for tokens in reference))
        self._prior = _PRIOR * self._total / max(1, len(reference))
        self._left_out = np.zeros(buckets)
        self._latest = np.zeros((len(HORIZONS), buckets))
        self._sizes = np.zeros(len(HORIZONS))
        self._memory: deque[Tokens] = deque(maxlen=max(HORIZONS))

    def odds(self, fresh: Tokens, drawn: int) -> Floats:
        """Return by how much each horizon takes the fresh one, rather than the one drawn, for fresh: s(fresh) - s(drawn)."""
        other = self._reference[drawn]
        self._left_out[other] = 1
        total = self._total - len(other) + _SMOOTHING * len(self._past)
        odds = self._log_odds(fresh, total) - self._log_odds(other, total)
        self._left_out[other] = 0
        return odds

    def learn(self, fresh: Tokens) -> None:
        """Take a fresh conversation into account from the next bet on."""
        for row, horizon in enumerate(HORIZONS):
            self._latest[row, fresh] += 1
            self._sizes[row] += len(fresh)
            if len(self._memory) >= horizon:
                leaving = self._memory[-horizon]
                self._latest[row, leaving] -= 1
                self._sizes[row] -= len(leaving)
        self._memory.append(fresh)

    def _log_odds(self, tokens: Tokens, total: float) -> Floats:
        past = (self._past[tokens] - self._left_out[tokens] + _SMOOTHING) / total
        latest = (self._latest[:, tokens] + self._prior * past) / (self._sizes + self._prior)[:, None]
        return np.asarray(np.log(latest / past).sum(axis=1))


def payoffs(odds: Floats) -> Floats:
    """Return what each expert makes of one unit, by what each horizon says."""
    trusted = np.clip(np.outer(odds, SLOPES), -_MOST, _MOST).ravel()
    return np.append(2 / (1 + np.exp(-trusted)), 1.0)
