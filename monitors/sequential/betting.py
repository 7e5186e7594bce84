"""Bets on which of several conversations is the fresh one, by what the latest conversations of the stream say."""

from collections import deque
from collections.abc import Sequence, Sized

import numpy as np
from numpy.typing import NDArray

from monitors.sequential.experts import HORIZONS, SLOPES
from monitors.sequential.tokens import Tokens

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
#: The tokens of a conversation, aspect by aspect. An empty array: it has none.
AspectTokens = Sequence[Tokens]

#: Weight of the reference in an expert's model of fresh conversations, in conversations.
_PRIOR = 16.0
#: Count that is added for each token (Krichevsky and Trofimov 1981).
_SMOOTHING = 0.5
_MAX_EXPONENT = 60.0
#: Maximum number of conversations of the reference that a fresh one is compared with.
DRAWN = 32

_NOTHING: Places = np.empty(0, dtype=np.intp)

_H = len(HORIZONS)
_SLOPES = np.array(SLOPES)


class Bettor:
    """Experts on some aspects, who score how typical a conversation's tokens are of the stream rather than the reference.

    Half of the scores are naive Bayes, the sum of the tokens' log-odds, in which a few new words show at once. The other half
    are the witness function of the kernel test (Gretton et al. 2012; used for bets by Shekhar and Ramdas, *Nonparametric
    two-sample testing by betting*, 2023): the difference of the mean vectors of inverse-document-frequency weights, times
    the conversation's own vector of length 1, in standard deviations of the conversations compared. It shows changes that
    are spread over many common words.

    A bet compares a fresh conversation with several drawn from the reference. With s a score, it pays exp(slope s(fresh))
    over the mean of the same over all that are compared. While these are exchangeable the payoff is 1 on average, whatever
    s is, as the payoffs with each of them in the place of the fresh one sum to their number (Koning, *Measuring evidence
    against exchangeability and group invariance with e-values*, 2023). The only condition is that s does not depend on
    which one is fresh: so the fresh one counts as part of the reference while it is scored, as the drawn ones do, and is
    learned after the bet. A bet against a single drawn conversation would add that one's noise and pay at most 2.

    All aspects share one table, with the buckets of one aspect after those of another: what a token adds to each score. One
    pass scores all aspects, and learning changes few rows.
    """

    def __init__(self, reference: Sequence[AspectTokens], *, buckets: Sequence[int], users: int) -> None:
        """``buckets``: the number for each aspect; ``users``: the number of users of the reference."""
        self._offsets = np.cumsum([0, *buckets[:-1]])
        self._tokens = [np.concatenate(self._placed(tokens)) for tokens in reference]
        self._lengths = np.vstack([np.empty((0, len(buckets)), dtype=np.intp), *map(_lengths, reference)])
        self._counts, totals = np.maximum(1, (self._lengths > 0).sum(axis=0)), self._lengths.sum(axis=0)
        past = np.bincount(np.concatenate([_NOTHING, *self._tokens]), minlength=sum(buckets))
        self._past = (past - (1 - _SMOOTHING)).astype(np.float32)
        self._shared = totals + _SMOOTHING * np.array(buckets)
        self._prior = _PRIOR * np.maximum(1, totals) / self._counts
        of_aspects = np.array([self._prior / self._shared, self._counts], dtype=np.float32)
        self._of_bucket = np.repeat(of_aspects, buckets, axis=1)
        longest = np.maximum(1, np.minimum(self._counts, users) // 2)
        self._horizons = np.minimum(np.array(HORIZONS)[:, None], longest)
        self._latest = np.zeros((_H, sum(buckets)), dtype=np.float32)  # whole numbers, exact
        self._sizes = np.zeros((_H, len(buckets)))
        self._memories = [_Memory() for _ in buckets]
        self._table = np.empty((sum(buckets), 2 * _H + 2))
        self._fill(np.arange(sum(buckets)), self._past)

    def scores(self, fresh: AspectTokens, drawn: Sequence[int]) -> tuple[Floats, Flags]:
        """Return the scores of the ``drawn``, by their numbers in the reference, then of the fresh one, and which have any.

        Scores: compared x aspects x VIEWS. Flags: compared x aspects.
        """
        placed = np.concatenate(self._placed(fresh))
        lengths = np.vstack([self._lengths[drawn], _lengths(fresh)])
        without_fresh = self._table[placed]
        self._fill(placed, self._past[placed] + 1)
        tokens = np.concatenate([*(self._tokens[number] for number in drawn), placed])
        sums = _summed(self._table.take(tokens, axis=0), lengths)
        self._table[placed] = without_fresh
        has_score = lengths > 0
        log_odds = sums[:_H] + np.log(self._shared / (self._sizes + self._prior))[:, None] * lengths
        learned = np.minimum([len(memory) for memory in self._memories], self._horizons)
        weighted = sums[_H:-2] - (learned / self._counts)[:, None] * sums[-2]
        witness = weighted / (learned + _PRIOR)[:, None] / np.sqrt(np.where(has_score, sums[-1], 1.0))
        scores = np.vstack([log_odds, _standardised(witness, has_score)]).transpose(1, 2, 0)
        return scores, has_score

    def learn(self, fresh: AspectTokens) -> None:
        """Take a fresh conversation into account from the next bet on.

        For each aspect, an expert remembers the latest conversations with tokens, up to its horizon, among the latest
        max(HORIZONS) of all.
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
        for coming, memory in zip(placed, self._memories, strict=True):
            memory.add(coming)

    def _fill(self, tokens: Places, past: Floats32) -> None:
        """Update what these tokens add to the log-odds, to the witness functions of each horizon, and to the length."""
        past = np.maximum(past, _SMOOTHING)  # less would be a token of none of those compared
        prior, counts = self._of_bucket.take(tokens, axis=1)
        latest = self._latest.take(tokens, axis=1)
        squares = np.log(1 + counts / past) ** 2
        added = (np.log(latest / past + prior), squares * latest, (squares * past)[None], squares[None])
        self._table[tokens] = np.concatenate(added).T

    def _placed(self, conversation: AspectTokens) -> list[Places]:
        """Return the tokens' places in the table."""
        return [tokens + offset for tokens, offset in zip(conversation, self._offsets, strict=True)]


class _Memory:
    """The tokens of one aspect of the latest max(HORIZONS) conversations, for those that have any."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, Places]] = deque()  # with the number of the conversation
        self._learned = 0

    def __len__(self) -> int:
        return len(self._kept)

    def leaving(self, horizon: int, coming: Places) -> Places:
        """Return the tokens that leave the ``horizon`` latest when ``coming`` enters: of one conversation at most."""
        if len(coming) and len(self._kept) >= horizon:
            return self._kept[-horizon][1]
        return self._kept[0][1] if self._ends and len(self._kept) <= horizon else _NOTHING

    def add(self, coming: Places) -> None:
        """Add the next conversation, which may have no tokens."""
        if self._ends:
            self._kept.popleft()
        self._learned += 1
        if len(coming):
            self._kept.append((self._learned, coming))

    @property
    def _ends(self) -> bool:
        """Whether the oldest conversation leaves with the next one."""
        return bool(self._kept) and self._kept[0][0] <= self._learned + 1 - max(HORIZONS)


def e_values(scores: Floats, has_score: Flags, margin: Floats | float = 0.0) -> Floats:
    """Return the e-value of each expert's bet on each aspect (aspects x EXPERTS).

    ``scores``: of the drawn conversations and, last, of the fresh one; those with a score are compared. ``margin`` is
    subtracted from each score of the fresh one.
    """
    ahead = scores - scores[-1] + margin  # by which each is ahead of the fresh one
    ahead[-1] = 0
    exponents = np.minimum(
        np.where(has_score[:, :, None], ahead, -np.inf)[..., None] * _SLOPES, _MAX_EXPONENT
    )
    values = has_score.sum(axis=0)[:, None, None] / np.exp(exponents).sum(axis=0)
    return np.hstack([values.reshape(len(values), -1), np.ones((len(values), 1))])


def _lengths(tokens: Sequence[Sized]) -> NDArray[np.intp]:
    return np.fromiter(map(len, tokens), dtype=np.intp, count=len(tokens))


def _summed(rows: Floats, lengths: NDArray[np.intp]) -> Floats:
    """Sum each column over each aspect's tokens of each conversation: columns x compared x aspects."""
    each = lengths.ravel()
    sums = np.zeros((len(each), rows.shape[1]))
    sums[each > 0] = np.add.reduceat(rows, (np.cumsum(each) - each)[each > 0], axis=0)
    return sums.T.reshape(-1, *lengths.shape)


def _standardised(values: Floats, has_score: Flags) -> Floats:
    """Centre each row over those compared and divide it by its standard deviation; both are symmetric in them."""
    count = np.maximum(1, has_score.sum(axis=0))
    centred = np.where(
        has_score, values - np.where(has_score, values, 0.0).sum(axis=1, keepdims=True) / count, 0.0
    )
    deviations = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)  # faster than np.std of so few
    return np.asarray(centred / np.where(deviations > 0, deviations, 1.0))
