"""Bets on which of several conversations is the fresh one, learning from the stream what fresh ones say."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitors.tokens import Tokens

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

#: Fresh conversations that each expert learns from, at most: the shorter, the sooner it sees a sudden change; the longer,
#: the smaller a change it sees. Never more than half a reference has, whose own luck would else be learned: at 50 in the
#: reference, three times as many alarms as declared came of it.
HORIZONS = (25, 100, 400)
#: How far each expert trusts its scores. Words come together, so that the sum of their log-odds says too much: 1 is bold.
SLOPES = np.array((0.1, 0.3, 1.0))
#: Conversations that the reference weighs in what an expert takes for fresh.
_PRIOR = 16.0
_SMOOTHING = 0.5  # of the counts of the reference, in each bucket (Krichevsky and Trofimov 1981)
_MOST = 60.0  # of what one is ahead, so that its exponential is finite
#: Conversations of the reference that a fresh one is compared with.
DRAWN = 8

_NOTHING: Tokens = np.empty(0, dtype=np.int32)

VIEWS = 2 * len(HORIZONS)  # of a conversation: the log-odds and the witness function of each horizon
EXPERTS = VIEWS * len(SLOPES) + 1  # one of them never bets


class Bettor:
    """Experts on one aspect, who score a conversation by how much its tokens are the latest ones' rather than the reference's.

    Some by naive Bayes, the sum of the tokens' log-odds: a few new words tell at once. Some by the witness function of
    the kernel test (Gretton et al. 2012; staked on by Shekhar and Ramdas, *Nonparametric two-sample testing by betting*,
    2023): the difference of the mean vectors of inverse-document-frequency weights, times the conversation's own vector
    of length 1. It sees what is spread thinly over many common words, and is given in standard deviations of the
    conversations compared.

    A fresh conversation is compared with several drawn from the reference. With s a score, a bet pays exp(slope s(fresh))
    over the mean of the same over all that are compared. While these are exchangeable it is 1 on average, whatever s is,
    as the payoffs with each of them in the place of the fresh one sum to their number (Koning, *Measuring evidence
    against exchangeability and group invariance with e-values*, 2023): s must only not know which is which. So those
    drawn are left out of the counts of the reference, and the fresh one is learned after the bet. One drawn alone would
    add its own chance to that of the fresh one, and could but double the stake: the evidence would grow half as fast.
    """

    def __init__(self, reference: Sequence[Tokens], *, buckets: int) -> None:
        """Each of the reference has a token at least."""
        self._count = len(reference)
        self._horizons = np.minimum(HORIZONS, max(1, self._count // 2))
        self._tokens = np.concatenate([_NOTHING, *reference, *reference[:DRAWN]]).astype(np.intp)
        self._starts = np.cumsum([0, *map(len, reference), *map(len, reference[:DRAWN])])
        self._past = np.bincount(self._tokens[: self._starts[self._count]], minlength=buckets).astype(float)
        self._total = float(self._past.sum())
        self._prior = _PRIOR * self._total / max(1, self._count)
        self._left_out = np.zeros(buckets)
        self._latest = np.zeros((len(HORIZONS), buckets), dtype=np.float32)  # whole numbers, exact
        self._sizes = np.zeros(len(HORIZONS))
        self._memory: deque[Tokens] = deque(maxlen=max(HORIZONS))

    def scores(self, fresh: Tokens, first: int, count: int) -> Floats:
        """Return the scores of ``count`` of the reference from number ``first`` on, then of the fresh one: compared x VIEWS.

        After the last of the reference comes the first again. ``count`` is at most DRAWN, and at most as many as there are.
        """
        bounds = self._starts[first : first + count + 1]
        drawn = self._tokens[bounds[0] : bounds[-1]]
        tokens, starts = np.concatenate([drawn, fresh]), bounds - bounds[0]
        np.add.at(self._left_out, drawn, 1.0)
        past = self._past[tokens] - self._left_out[tokens] + _SMOOTHING
        self._left_out[drawn] = 0
        latest = self._latest.take(tokens, axis=1)
        odds = self._log_odds(latest, past / (self._total - len(drawn) + _SMOOTHING * len(self._past)))
        weighed, squares = self._witness(latest, past / (self._count - count + 1))
        found = np.add.reduceat(np.vstack([odds, weighed, squares]), starts, axis=1)
        witness = found[len(HORIZONS) : -1] / np.sqrt(found[-1])
        return np.vstack([found[: len(HORIZONS)], _standardised(witness)]).T

    def _log_odds(self, latest: Floats32, past: Floats) -> Floats:
        """Return each token's, of horizons x tokens; ``past`` is its share of the reference's tokens."""
        ratios = latest / past.astype(np.float32) + np.float32(self._prior)
        ratios /= (self._sizes + self._prior).astype(np.float32)[:, None]
        return np.asarray(np.log(ratios), dtype=float)

    def _witness(self, latest: Floats32, past: Floats) -> tuple[Floats, Floats]:
        """Return what each token adds, of horizons x tokens, and its square weight; ``past``: the share that have it."""
        squares = np.log(1 + 1 / past) ** 2
        seen = np.minimum(len(self._memory), self._horizons)[:, None]
        return squares * (latest - seen * past) / (seen + _PRIOR), squares

    def learn(self, fresh: Tokens) -> None:
        """Take a fresh conversation into account from the next bet on."""
        self._latest[:, fresh] += 1
        self._sizes += len(fresh)
        for row, horizon in enumerate(self._horizons.tolist()):
            if len(self._memory) >= horizon:
                leaving = self._memory[-horizon]
                self._latest[row, leaving] -= 1
                self._sizes[row] -= len(leaving)
        self._memory.append(fresh)


def payoffs(scores: Floats, forgone: Floats | float = 0.0) -> Floats:
    """Return what each expert makes of one unit, by the scores of those drawn and, last, of the fresh one.

    ``forgone`` is taken from each score of the fresh one.
    """
    ahead = scores - scores[-1] + forgone  # of the fresh one, less what it forgoes
    ahead[-1] = 0
    trusted = np.minimum(ahead[:, :, None] * SLOPES, _MOST)
    return np.append(len(scores) / np.exp(trusted).sum(axis=0), 1.0)


def _standardised(values: Floats) -> Floats:
    """Centre each row and divide it by its standard deviation, neither of which depends on whose value is whose."""
    count = values.shape[1]
    centred = values - values.sum(axis=1, keepdims=True) / count
    deviations = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)  # faster than np.std of so few
    return np.asarray(centred / np.where(deviations > 0, deviations, 1.0))
