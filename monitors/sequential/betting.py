"""Bets on which of several conversations is the fresh one, learning from the stream what fresh ones say."""

from collections import deque
from collections.abc import Sequence, Sized

import numpy as np
from numpy.typing import NDArray

from monitors.sequential.tokens import Tokens

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
#: The tokens of a conversation, aspect by aspect. None: it says nothing there.
Said = Sequence[Tokens]

#: Fresh conversations that each expert learns from, at most: the shorter, the sooner it sees a sudden change; the longer,
#: the smaller a change it sees. Never more than half the users of a reference, whose own luck would else be learned: at 50
#: in the reference, three times as many alarms as declared came of it.
HORIZONS = (25, 100, 400)
#: How far each expert trusts its scores. Words come together, so that the sum of their log-odds says too much: 1 is bold.
SLOPES = np.array((0.1, 0.3, 1.0))
#: Conversations that the reference weighs in what an expert takes for fresh.
_PRIOR = 16.0
#: A token of a single conversation of those compared counts so much (Krichevsky and Trofimov 1981).
_SMOOTHING = 0.5
_MOST = 60.0  # of what one is ahead, so that its exponential is finite
#: Conversations of the reference that a fresh one is compared with, at most.
DRAWN = 32

_NOTHING: Places = np.empty(0, dtype=np.intp)

_H = len(HORIZONS)
VIEWS = 2 * _H  # of a conversation: the log-odds and the witness function of each horizon
EXPERTS = VIEWS * len(SLOPES) + 1  # one of them never bets


class Bettor:
    """Experts on some aspects, who score a conversation by how much its tokens are the latest ones' rather than the reference's.

    Some by naive Bayes, the sum of the tokens' log-odds: a few new words tell at once. Some by the witness function of
    the kernel test (Gretton et al. 2012; staked on by Shekhar and Ramdas, *Nonparametric two-sample testing by betting*,
    2023): the difference of the mean vectors of inverse-document-frequency weights, times the conversation's own vector
    of length 1. It sees what is spread thinly over many common words, and is given in standard deviations of the
    conversations compared.

    A fresh conversation is compared with several drawn from the reference. With s a score, a bet pays exp(slope s(fresh))
    over the mean of the same over all that are compared. While these are exchangeable it is 1 on average, whatever s is,
    as the payoffs with each of them in the place of the fresh one sum to their number (Koning, *Measuring evidence
    against exchangeability and group invariance with e-values*, 2023): s must only not know which is which. So the
    fresh one counts as one of the reference where it is scored, as those drawn do, and it is learned after the bet. One
    drawn alone would add its own chance to that of the fresh one, and could but double the stake: the evidence would
    grow half as fast.

    Every aspect has its own buckets, counts and memory. They are kept in one table, one aspect's buckets after the
    other's, with what a token adds to each score, so that one pass scores all aspects. Learning changes few rows of it.
    """

    def __init__(self, reference: Sequence[Said], *, buckets: Sequence[int], users: int) -> None:
        """``buckets``: how many each aspect has; ``users``: how many the reference is of."""
        self._offsets = np.cumsum([0, *buckets[:-1]])
        self._tokens = [np.concatenate(self._placed(said)) for said in reference]
        self._lengths = np.vstack([np.empty((0, len(buckets)), dtype=np.intp), *map(_lengths, reference)])
        self._counts, tokens = np.maximum(1, (self._lengths > 0).sum(axis=0)), self._lengths.sum(axis=0)
        past = np.bincount(np.concatenate([_NOTHING, *self._tokens]), minlength=sum(buckets))
        self._past = (past - (1 - _SMOOTHING)).astype(np.float32)
        self._shared = tokens + _SMOOTHING * np.array(buckets)
        self._prior = _PRIOR * np.maximum(1, tokens) / self._counts
        of_aspects = np.array([self._prior / self._shared, self._counts], dtype=np.float32)
        self._of_bucket = np.repeat(of_aspects, buckets, axis=1)
        most = np.maximum(1, np.minimum(self._counts, users) // 2)
        self._horizons = np.minimum(np.array(HORIZONS)[:, None], most)
        self._latest = np.zeros((_H, sum(buckets)), dtype=np.float32)  # whole numbers, exact
        self._sizes = np.zeros((_H, len(buckets)))
        self._memories = [_Memory() for _ in buckets]
        self._table = np.empty((sum(buckets), 2 * _H + 2))
        self._fill(np.arange(sum(buckets)), self._past)

    def scores(self, fresh: Said, drawn: Sequence[int]) -> tuple[Floats, Flags]:
        """Return the scores of those ``drawn``, by their numbers in the reference, then of the fresh one, and who has any.

        Scores: compared x aspects x VIEWS; who has: compared x aspects.
        """
        said = np.concatenate(self._placed(fresh))
        lengths = np.vstack([self._lengths[drawn], _lengths(fresh)])
        without = self._table[said]
        self._fill(said, self._past[said] + 1)
        tokens = np.concatenate([*(self._tokens[number] for number in drawn), said])
        sums = _summed(self._table.take(tokens, axis=0), lengths)
        self._table[said] = without
        has = lengths > 0
        log_odds = sums[:_H] + np.log(self._shared / (self._sizes + self._prior))[:, None] * lengths
        seen = np.minimum([len(memory) for memory in self._memories], self._horizons)
        weighed = sums[_H:-2] - (seen / self._counts)[:, None] * sums[-2]
        witness = weighed / (seen + _PRIOR)[:, None] / np.sqrt(np.where(has, sums[-1], 1.0))
        return np.vstack([log_odds, _standardised(witness, has)]).transpose(1, 2, 0), has

    def learn(self, fresh: Said) -> None:
        """Take a fresh conversation into account from the next bet on.

        An expert remembers its horizon's latest that say something about the aspect, of the latest max(HORIZONS).
        """
        placed = self._placed(fresh)
        changed = [np.concatenate(placed)]
        for row, horizons in enumerate(self._horizons.tolist()):
            full = zip(placed, self._memories, horizons, strict=True)
            leaving = [memory.leaving(horizon, tokens) for tokens, memory, horizon in full]
            changed.append(np.concatenate(leaving))
            self._latest[row][changed[0]] += 1
            self._latest[row][changed[-1]] -= 1
            self._sizes[row] += _lengths(placed) - _lengths(leaving)
        tokens = np.concatenate(changed)
        self._fill(tokens, self._past[tokens])
        for said, memory in zip(placed, self._memories, strict=True):
            memory.add(said)

    def _fill(self, tokens: Places, past: Floats32) -> None:
        """Put right what these tokens add: to the log-odds, to the witness functions for each horizon, and to the length."""
        past = np.maximum(past, _SMOOTHING)  # less is of what nobody says of those compared
        prior, counts = self._of_bucket.take(tokens, axis=1)
        latest = self._latest.take(tokens, axis=1)
        squares = np.log(1 + counts / past) ** 2
        added = (np.log(latest / past + prior), squares * latest, (squares * past)[None], squares[None])
        self._table[tokens] = np.concatenate(added).T

    def _placed(self, said: Said) -> list[Places]:
        """Return the tokens' places in the table."""
        return [tokens + offset for tokens, offset in zip(said, self._offsets, strict=True)]


class _Memory:
    """The tokens on one aspect of the latest max(HORIZONS) conversations, where they have any."""

    def __init__(self) -> None:
        self._said: deque[tuple[int, Places]] = deque()  # with the number of the conversation
        self._learned = 0

    def __len__(self) -> int:
        return len(self._said)

    def leaving(self, horizon: int, coming: Places) -> Places:
        """Return what is no longer among the ``horizon`` latest once ``coming`` is: of one conversation at most."""
        if len(coming) and len(self._said) >= horizon:
            return self._said[-horizon][1]
        return self._said[0][1] if self._ends and len(self._said) <= horizon else _NOTHING

    def add(self, coming: Places) -> None:
        """Take in the next conversation, whether or not it says anything."""
        if self._ends:
            self._said.popleft()
        self._learned += 1
        if len(coming):
            self._said.append((self._learned, coming))

    @property
    def _ends(self) -> bool:
        """Whether the oldest leaves with the next conversation."""
        return bool(self._said) and self._said[0][0] <= self._learned + 1 - max(HORIZONS)


def payoffs(scores: Floats, has: Flags, forgone: Floats | float = 0.0) -> Floats:
    """Return what each expert makes of one unit on each aspect, by the scores of those drawn and, last, of the fresh one.

    Those are compared that have a score. ``forgone`` is taken from each score of the fresh one.
    """
    ahead = scores - scores[-1] + forgone  # of the fresh one, less what it forgoes
    ahead[-1] = 0
    trusted = np.minimum(np.where(has[:, :, None], ahead, -np.inf)[..., None] * SLOPES, _MOST)
    made = has.sum(axis=0)[:, None, None] / np.exp(trusted).sum(axis=0)
    return np.hstack([made.reshape(len(made), -1), np.ones((len(made), 1))])


def _lengths(said: Sequence[Sized]) -> NDArray[np.intp]:
    return np.fromiter(map(len, said), dtype=np.intp, count=len(said))


def _summed(rows: Floats, lengths: NDArray[np.intp]) -> Floats:
    """Sum each column over each aspect's tokens of each conversation: columns x compared x aspects."""
    each = lengths.ravel()
    sums = np.zeros((len(each), rows.shape[1]))
    sums[each > 0] = np.add.reduceat(rows, (np.cumsum(each) - each)[each > 0], axis=0)
    return sums.T.reshape(-1, *lengths.shape)


def _standardised(values: Floats, has: Flags) -> Floats:
    """Centre each row over those compared and divide it by its standard deviation: neither tells whose value is whose."""
    count = np.maximum(1, has.sum(axis=0))
    centred = np.where(has, values - np.where(has, values, 0.0).sum(axis=1, keepdims=True) / count, 0.0)
    deviations = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)  # faster than np.std of so few
    return np.asarray(centred / np.where(deviations > 0, deviations, 1.0))
