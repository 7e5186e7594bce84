"""The whole benchmark: all trials, on one process or several, and what they come to."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice

from threadpoolctl import threadpool_limits

from monitors.bench.contenders import WINDOW
from monitors.bench.expense import Expense, measure
from monitors.bench.field import Field, contenders, ours
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
from monitors.bench.naming import Named, naming
from monitors.bench.plan import Design, estimated_s, plan
from monitors.bench.streams import PROMISED
from monitors.bench.trials import Outcome, Trial, run
from monitors.bench.vectors import Vectors, embed
from monitors.bench.worlds import World

#: Trials that wait for a process, for each process: each carries its world.
_AHEAD = 2
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """Everything that was measured."""

    design: Design
    worlds: tuple[str, ...]
    left_out: tuple[str, ...]
    goals: tuple[Goal, ...]
    false_alarms: tuple[FalseAlarms, ...]
    delays: tuple[Delay, ...]
    costs: tuple[Cost, ...]
    expense: Expense
    named: tuple[Named, ...]
    outcomes: tuple[Outcome, ...]


def benchmark(
    worlds: Sequence[World],
    design: Design,
    *,
    processes: int,
    begin_process: Callable[[int], None],
    on_start: Callable[[int, float], None],
    on_progress: Progress,
    journal: Journal,
) -> Result:
    """Run all trials that the journal does not know.

    ``begin_process`` is called in each process, where there are several, with the pid of this one. ``on_start`` gets how
    many trials there are, and about how many seconds they take on one core; ``on_progress`` how much is done, and of how
    much, in conversations of streams.
    """
    trials, alone = plan(worlds, design), design.alone
    left = [(place, trial) for place, trial in enumerate(trials) if place not in journal.outcomes]
    on_start(len(left), estimated_s([trial for _, trial in left], alone=alone))
    expense = journal.expense
    if expense is None:
        expense = _expense(worlds[0], design)
        journal.keep_expense(expense)
    named = journal.named
    if named is None:
        named = tuple(naming(worlds, design))
        journal.keep_named(named)
    total = sum(trial.weight for trial in trials)
    done = total - sum(trial.weight for _, trial in left)
    for place, found in (
        _in_turn(left, alone=alone)
        if processes == 1
        else _spread(left, processes, begin_process, alone=alone)
    ):
        journal.keep_outcomes(place, found)
        done += trials[place].weight
        on_progress(done, total)
    outcomes = tuple(chain.from_iterable(journal.outcomes[place] for place in range(len(trials))))
    rates = tuple(all_false_alarms(outcomes, PROMISED))
    delays = tuple(all_delays(outcomes))
    return Result(
        design=design,
        worlds=tuple(f"{world.family}: {world.name}" for world in worlds),
        left_out=_field(alone=alone).left_out,
        goals=goals(rates, delays, expense, named, declared=design.conversations_between_false_alarms),
        false_alarms=rates,
        delays=delays,
        costs=tuple(all_costs(outcomes)),
        expense=expense,
        named=named,
        outcomes=outcomes,
    )


def _expense(world: World, design: Design) -> Expense:
    size = design.size
    with threadpool_limits(1):
        return measure(
            world,
            reference=size.length.reference,
            timed=size.timed,
            endless=size.endless,
            level=WINDOW / design.conversations_between_false_alarms,
        )


def _in_turn(left: Iterable[tuple[int, Trial]], *, alone: bool) -> Iterator[tuple[int, Sequence[Outcome]]]:
    return ((place, _outcomes(place, trial, alone)) for place, trial in left)


def _spread(
    left: Iterable[tuple[int, Trial]], processes: int, begin: Callable[[int], None], *, alone: bool
) -> Iterator[tuple[int, Sequence[Outcome]]]:
    """Yield places of trials with their outcomes as they come."""
    waiting, going = iter(left), dict[Future[Sequence[Outcome]], int]()
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
        vectors = {} if alone else _vectors(trial.world)
        return list(run(trial, _field(alone=alone).of_trial(place), vectors))


@cache
def _field(*, alone: bool) -> Field:
    return ours() if alone else contenders()


def _vectors(world: World) -> Vectors:
    """Return the vectors of a world, computed once in a process for all worlds of its family."""
    known = _known_vectors()
    if world.family not in known:
        known[world.family] = embed(world)
    return known[world.family]


@cache
def _known_vectors() -> dict[str, Vectors]:
    return {}
