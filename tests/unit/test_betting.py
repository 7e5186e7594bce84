import numpy as np
import pytest

from monitors.betting import EXPERTS, HORIZONS, Bettor, payoffs
from monitors.tokens import Tokens

BUCKETS = 64


def said(*numbers: int) -> Tokens:
    return np.array(numbers, dtype=np.int32)


def some(count: int, seed: int = 0) -> list[Tokens]:
    random = np.random.default_rng(seed)
    return [random.choice(BUCKETS, size=5, replace=False).astype(np.int32) for _ in range(count)]


def test_who_has_learned_nothing_wins_nothing() -> None:
    bettor = Bettor(some(20), buckets=BUCKETS)

    assert payoffs(bettor.odds(said(1, 2), drawn=3)) == pytest.approx(np.ones(EXPERTS))


def test_the_two_orders_of_a_pair_pay_two_together_so_a_bet_is_fair() -> None:
    one, other, *rest = some(50)
    first, second = Bettor([other, *rest], buckets=BUCKETS), Bettor([one, *rest], buckets=BUCKETS)
    for fresh in some(30, seed=1):
        first.learn(fresh)
        second.learn(fresh)

    both = payoffs(first.odds(one, drawn=0)) + payoffs(second.odds(other, drawn=0))

    assert both == pytest.approx(np.full(EXPERTS, 2.0))
    assert not np.allclose(payoffs(first.odds(one, drawn=0)), 1.0)


def test_what_fresh_ones_say_more_often_wins() -> None:
    bettor = Bettor(some(50), buckets=BUCKETS)
    for _ in range(20):
        bettor.learn(said(60, 61, 62))

    paid = payoffs(bettor.odds(said(60, 61), drawn=0))

    assert (paid[:-1] > 1).all()
    assert paid[-1] == 1.0  # who never bets


def test_each_expert_remembers_its_horizon_and_no_more() -> None:
    long, short = Bettor(some(50), buckets=BUCKETS), Bettor(some(50), buckets=BUCKETS)
    stream = some(max(HORIZONS) + 200, seed=2)
    for fresh in stream:
        long.learn(fresh)
    for fresh in stream[-max(HORIZONS) :]:
        short.learn(fresh)

    assert payoffs(long.odds(said(3, 4), drawn=1)) == pytest.approx(payoffs(short.odds(said(3, 4), drawn=1)))


def test_an_empty_reference_has_nothing_to_say() -> None:
    bettor = Bettor([said()], buckets=BUCKETS)
    bettor.learn(said(1))

    assert np.isfinite(payoffs(bettor.odds(said(1), drawn=0))).all()
