from collections.abc import Sequence

import numpy as np
import pytest

from monitors.sequential.betting import DRAWN, Bettor, Floats, e_values
from monitors.sequential.experts import EXPERTS, HORIZONS, VIEWS
from monitors.sequential.tokens import Tokens

BUCKETS = 64


def tokens(*numbers: int) -> Tokens:
    return np.array(numbers, dtype=np.int32)


def some(count: int, seed: int = 0) -> list[Tokens]:
    random = np.random.default_rng(seed)
    return [random.choice(BUCKETS, size=5, replace=False).astype(np.int32) for _ in range(count)]


class OneAspect:
    """A bettor on a single aspect."""

    def __init__(self, reference: Sequence[Tokens], buckets: int = BUCKETS) -> None:
        self._bettor = Bettor([[one] for one in reference], buckets=[buckets], users=len(reference))

    def learn(self, fresh: Tokens) -> None:
        self._bettor.learn([fresh])

    def scores(self, fresh: Tokens, drawn: Sequence[int]) -> Floats:
        scores, _ = self._bettor.scores([fresh], drawn)
        return scores[:, 0]

    def paid(self, fresh: Tokens, drawn: Sequence[int], forgone: Floats | float = 0.0) -> Floats:
        scores, has = self._bettor.scores([fresh], drawn)
        (made,) = e_values(scores, has, forgone)
        return np.asarray(made)


def test_who_has_learned_nothing_wins_nothing() -> None:
    bettor = OneAspect(some(20))

    assert bettor.paid(tokens(1, 2), drawn=range(3, 11)) == pytest.approx(np.ones(EXPERTS))


@pytest.mark.parametrize("count", [1, 3, DRAWN])
def test_with_each_in_the_place_of_the_fresh_one_the_payoffs_sum_to_their_number_so_a_bet_is_fair(
    count: int,
) -> None:
    compared, rest, stream = some(count + 1), some(50, seed=1), some(30, seed=2)

    def paid(fresh: int) -> Floats:
        bettor = OneAspect([*compared[:fresh], *compared[fresh + 1 :], *rest])
        for one in stream:
            bettor.learn(one)
        return bettor.paid(compared[fresh], drawn=range(count))

    each = [paid(fresh) for fresh in range(count + 1)]

    assert sum(each) == pytest.approx(np.full(EXPERTS, count + 1.0), rel=1e-5)
    assert not np.allclose(each[0], 1.0)


def test_what_fresh_ones_say_more_often_wins_and_more_than_twice_the_stake() -> None:
    bettor = OneAspect(some(50))
    for _ in range(20):
        bettor.learn(tokens(60, 61, 62))

    paid = bettor.paid(tokens(60, 61), drawn=range(DRAWN))

    assert (paid[:-1] > 1).all()
    assert paid.max() > 2
    assert paid[-1] == 1.0  # who never bets


def test_what_is_forgone_is_lost() -> None:
    bettor = OneAspect(some(50))
    for _ in range(20):
        bettor.learn(tokens(60, 61, 62))

    forgoing = bettor.paid(tokens(60, 61), drawn=range(DRAWN), forgone=np.arange(1.0, VIEWS + 1))

    assert (forgoing[:-1] < bettor.paid(tokens(60, 61), drawn=range(DRAWN))[:-1]).all()


def test_words_that_come_together_drown_the_log_odds_but_not_the_witness_function() -> None:
    """Half of the common words become more frequent; what a talk is about adds many rare words that say nothing new."""
    random = np.random.default_rng(0)

    def talk(more: float) -> Tokens:
        often = np.where(np.arange(40) % 2 == 0, 1 + more, 1.0)
        common = random.choice(40, size=12, replace=False, p=often / often.sum())
        rare = 40 + 50 * random.integers(300) + random.choice(50, size=25, replace=False)
        return np.concatenate([common, rare]).astype(np.int32)

    bettor = OneAspect([talk(0) for _ in range(400)], buckets=2**14)
    evidence = np.zeros(EXPERTS)
    for _ in range(400):
        fresh = talk(2.0)
        evidence += np.log(bettor.paid(fresh, drawn=random.permutation(400)[:DRAWN].tolist()))
        bettor.learn(fresh)

    log_odds, witness = np.split(evidence[:-1], 2)
    assert log_odds.max() < 0
    assert witness.max() > 10


@pytest.mark.parametrize(("known", "remembered"), [(2 * max(HORIZONS), max(HORIZONS)), (60, 30)])
def test_each_expert_remembers_its_horizon_or_half_the_reference_and_no_more(
    known: int, remembered: int
) -> None:
    long, short = OneAspect(some(known)), OneAspect(some(known))
    stream = some(remembered + 200, seed=2)
    for fresh in stream:
        long.learn(fresh)
    for fresh in stream[-remembered:]:
        short.learn(fresh)

    assert long.scores(tokens(3, 4), drawn=range(1, 9)) == pytest.approx(
        short.scores(tokens(3, 4), drawn=range(1, 9))
    )


def test_aspects_are_scored_together_as_each_would_be_by_itself_and_none_where_nothing_is_said() -> None:
    first, second = some(40), [one if n % 3 else tokens() for n, one in enumerate(some(40, seed=1))]
    together = Bettor(list(zip(first, second, strict=True)), buckets=[BUCKETS, BUCKETS], users=40)
    alone = OneAspect(first)
    for fresh in some(30, seed=2):
        together.learn([fresh, tokens()])
        alone.learn(fresh)

    scores, has = together.scores([tokens(1, 2), tokens(3)], drawn=range(4))

    assert scores[:, 0] == pytest.approx(alone.scores(tokens(1, 2), drawn=range(4)))
    assert has.tolist() == [[True, False], [True, True], [True, True], [True, False], [True, True]]
    assert e_values(scores, has)[1] == pytest.approx(np.ones(EXPERTS))  # it has learned nothing there


def test_to_score_changes_nothing() -> None:
    bettor = OneAspect(some(50))
    for fresh in some(30, seed=1):
        bettor.learn(fresh)
    before = bettor.scores(tokens(7, 8), drawn=range(2, 10))

    bettor.scores(tokens(1, 2, 7), drawn=range(8))

    assert np.array_equal(bettor.scores(tokens(7, 8), drawn=range(2, 10)), before)
