from dataclasses import replace
from math import inf

import pytest
from scipy.stats import poisson

from monitors.bench.contenders import OURS
from monitors.bench.cost import DetectorCost
from monitors.bench.goals import Goal, goals
from monitors.bench.measures import (
    ALL,
    all_costs,
    all_delays,
    all_false_alarms,
)
from monitors.bench.streams import PROMISED, Kind
from monitors.bench.term_precision import TermPrecision
from monitors.bench.trials import Outcome
from monitors.sequential.run_length import run_length_bounds

CHEAP = DetectorCost(update_us=300, update_p99_us=500, confirmation_s=0.5, endless=1_000, grown_mb=0.0)


def an_outcome(
    detector: str = OURS,
    *,
    kind: Kind = Kind.ABRUPT,
    share: float = 1.0,
    delay: int | None = None,
    alarms: int = 0,
    conversations: int = 1_000,
) -> Outcome:
    return Outcome(
        detector=detector,
        family="shop",
        world="shoes",
        kind=kind,
        share=0.0 if kind.null else share,
        trial=0,
        conversations=conversations,
        false_alarms=alarms,
        delay=delay,
        cpu_s=0.002 * conversations,
    )


def quiet(detector: str = OURS, *, alarms: int = 0) -> Outcome:
    return an_outcome(detector, kind=Kind.IID, alarms=alarms, conversations=100_000)


def judged(*outcomes: Outcome, cost: DetectorCost = CHEAP, hits: int = 9) -> dict[str, Goal]:
    rates, delays = tuple(all_false_alarms(outcomes, PROMISED)), tuple(all_delays(outcomes))
    named = TermPrecision(family="made up", share=0.2, windows=10, hits=hits, mostly=5, rightly=0.5)
    return {goal.name: goal for goal in goals(rates, delays, cost, [named], declared=20_000)}


@pytest.mark.parametrize("alarms", [0, 1, 7])
def test_a_run_length_at_a_bound_would_show_so_few_or_so_many_alarms_one_time_in_twenty(alarms: int) -> None:
    lower, upper = run_length_bounds(alarms, 50_000)

    assert poisson.cdf(alarms, 50_000 / lower) == pytest.approx(0.05)
    if alarms:
        assert poisson.sf(alarms - 1, 50_000 / upper) == pytest.approx(0.05)
    else:
        assert upper == inf


def test_alarms_of_a_wandering_mix_are_told_apart() -> None:
    outcomes = [
        an_outcome(kind=Kind.IID, alarms=1),
        an_outcome(kind=Kind.SESSIONS, conversations=3_000),
        an_outcome(kind=Kind.WANDERING, alarms=9),
    ]

    found = {rate.streams: rate for rate in all_false_alarms(outcomes, PROMISED)}

    assert (found[ALL].alarms, found[ALL].conversations) == (1, 4_000)
    assert found[ALL].per_10_000 == 2.5
    assert found[Kind.WANDERING].alarms == 9


def test_a_change_that_was_not_found_takes_for_ever() -> None:
    delays = [an_outcome(delay=delay) for delay in (10, 30, None, None, None)]

    (together, family) = all_delays(delays)

    assert (together.family, family.family) == (ALL, "shop")
    assert together.found == 0.4
    assert together.median == together.p90 == inf
    assert next(iter(all_delays(delays[:3]))).median == 30


def test_cost_is_that_of_a_conversation() -> None:
    (cost,) = all_costs([an_outcome(conversations=10), an_outcome(conversations=90)])

    assert cost.cpu_us == pytest.approx(2_000)


def test_goals_are_met_or_missed() -> None:
    met = judged(quiet(), an_outcome(delay=100), an_outcome(share=0.2, delay=600))
    missed = judged(
        quiet(alarms=4),
        an_outcome(delay=131),
        an_outcome(share=0.2, delay=None),
        cost=replace(CHEAP, update_us=1_500, confirmation_s=3.0, grown_mb=50.0),
        hits=7,
    )

    assert all(goal.met for goal in met.values())
    assert not any(goal.met for goal in missed.values())
    assert list(met) == list(missed)


def test_another_that_is_as_fast_counts_only_if_it_is_as_quiet() -> None:
    ours = (quiet(), an_outcome(delay=100))
    name = "no other with as few false alarms is as fast (median delay, abrupt)"

    loud = judged(*ours, quiet("loud", alarms=6), an_outcome("loud", delay=10))
    slow = judged(*ours, quiet("slow"), an_outcome("slow", delay=101))
    better = judged(*ours, quiet("better", alarms=5), an_outcome("better", delay=100))
    short = an_outcome("seldom", kind=Kind.IID, conversations=40_000)
    seldom = judged(*ours, short, an_outcome("seldom", delay=10))

    assert loud[name].met
    assert slow[name].met
    assert seldom[name].met
    assert not better[name].met
    assert "better at 100%: 100, ours 100" in better[name].measured


def test_eight_windows_in_ten_must_have_the_words_of_what_is_new() -> None:
    (met,) = [goal for name, goal in judged(quiet(), hits=8).items() if name.startswith("words")]
    (missed,) = [goal for name, goal in judged(quiet(), hits=7).items() if name.startswith("words")]

    assert (met.met, met.measured) == (True, "80% (8 of 10); most of them in 50%")
    assert not missed.met
