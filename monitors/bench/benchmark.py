"""Runs all trials of the benchmark, in one process or several, and summarises them."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice

from threadpoolctl import threadpool_limits

from monitors.bench.contenders import WINDOW
from monitors.bench.cost import DetectorCost, measure
from monitors.bench.goals import Goal, goals
from monitors.bench.journal import Journal
from monitors.bench.measures import (
    Cost,
    Delay,
    FalseAlarms,
    all_costs,
    all_delays,
    all_false_alarms,
)
from monitors.bench.participants import Participants, contenders, ours_alone
from monitors.bench.plan import Design, estimated_s, plan
from monitors.bench.populations import Population
from monitors.bench.streams import PROMISED
from monitors.bench.term_precision import TermPrecision, term_precisions
from monitors.bench.trials import Outcome, Trial, run
from monitors.bench.vectors import Vectors, embed

#: Trials that wait for each process. Each holds its population in memory.
_AHEAD = 2
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """Everything that was measured. Field names are keys of results.json."""

    design: Design
    worlds: tuple[str, ...]  # names of the populations
    left_out: tuple[str, ...]
    goals: tuple[Goal, ...]
    false_alarms: tuple[FalseAlarms, ...]
    delays: tuple[Delay, ...]
    costs: tuple[Cost, ...]
    expense: DetectorCost
    named: tuple[TermPrecision, ...]
    outcomes: tuple[Outcome, ...]


def benchmark(
    populations: Sequence[Population],
    design: Design,
    *,
    processes: int,
    begin_process: Callable[[int], None],
    on_start: Callable[[int, float], None],
    on_progress: Progress,
    journal: Journal,
) -> Result:
    """Run all trials that are not in the journal yet.

    With several processes, each calls ``begin_process`` with the pid of this one. ``on_start`` gets the number of trials
    and their estimated seconds on one core; ``on_progress`` gets what is done and the total, in conversations of streams.
    """
    trials, alone = plan(populations, design), design.alone
    missing = [(place, trial) for place, trial in enumerate(trials) if place not in journal.outcomes]
    on_start(len(missing), estimated_s([trial for _, trial in missing], alone=alone))
    if journal.cost is None:
        journal.keep_cost(_cost(populations[0], design))
    if journal.named is None:
        journal.keep_named(tuple(term_precisions(populations, design)))
    total = sum(trial.weight for trial in trials)
    done = total - sum(trial.weight for _, trial in missing)
    for place, found in (
        _in_turn(missing, alone=alone)
        if processes == 1
        else _spread(missing, processes, begin_process, alone=alone)
    ):
        journal.keep_outcomes(place, found)
        done += trials[place].weight
        on_progress(done, total)
    return _result(populations, design, journal, trials=len(trials))


def _result(populations: Sequence[Population], design: Design, journal: Journal, *, trials: int) -> Result:
    if journal.cost is None or journal.named is None:
        raise RuntimeError("the benchmark is not complete")
    outcomes = tuple(chain.from_iterable(journal.outcomes[place] for place in range(trials)))
    rates = tuple(all_false_alarms(outcomes, PROMISED))
    delays = tuple(all_delays(outcomes))
    declared = design.conversations_between_false_alarms
    return Result(
        design=design,
        worlds=tuple(f"{population.family}: {population.name}" for population in populations),
        left_out=_participants(alone=design.alone).left_out,
        goals=goals(rates, delays, journal.cost, journal.named, declared=declared),
        false_alarms=rates,
        delays=delays,
        costs=tuple(all_costs(outcomes)),
        expense=journal.cost,
        named=journal.named,
        outcomes=outcomes,
    )


def _cost(population: Population, design: Design) -> DetectorCost:
    size = design.size
    with threadpool_limits(1):
        return measure(
            population,
            reference=size.length.reference,
            timed=size.timed,
            endless=size.endless,
            level=WINDOW / design.conversations_between_false_alarms,
        )


def _in_turn(missing: Iterable[tuple[int, Trial]], *, alone: bool) -> Iterator[tuple[int, Sequence[Outcome]]]:
    return ((place, _outcomes(place, trial, alone)) for place, trial in missing)


def _spread(
    missing: Iterable[tuple[int, Trial]], processes: int, begin: Callable[[int], None], *, alone: bool
) -> Iterator[tuple[int, Sequence[Outcome]]]:
    """Yield the places of trials with their outcomes, as they finish."""
    waiting, going = iter(missing), dict[Future[Sequence[Outcome]], int]()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=begin, initargs=(os.getpid(),)) as pool:
        while True:
            for place, trial in islice(waiting, _AHEAD * processes - len(going)):
                going[pool.submit(_outcomes, place, trial, alone)] = place
            if not going:
                return
            for future in wait(going, return_when=FIRST_COMPLETED).done:
                yield going.pop(future), future.result()


def _outcomes(place: int, trial: Trial, alone: bool) -> Sequence[Outcome]:
    with threadpool_limits(1):
        vectors = {} if alone else _vectors(trial.population)
        return list(run(trial, _participants(alone=alone).of_trial(place), vectors))


@cache
def _participants(*, alone: bool) -> Participants:
    return ours_alone() if alone else contenders()


def _vectors(population: Population) -> Vectors:
    """Return the vectors of a population, which a process computes once for each family."""
    known = _known_vectors()
    if population.family not in known:
        known[population.family] = embed(population)
    return known[population.family]


@cache
def _known_vectors() -> dict[str, Vectors]:
    return {}
