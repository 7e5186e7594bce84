"""The benchmark over several processes: the same as in one."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from monitors.bench.benchmark import Result, benchmark
from monitors.bench.journal import Journal
from monitors.bench.plan import Design
from monitors.bench.trials import Outcome
from monitors.parent_death import end_with_parent
from tests.factories.bench import TINY, a_population
from tests.support.orphans import ends_with_its_parent


def measured(
    processes: int, seen: list[tuple[int, int]], begin: Callable[[int], None] = end_with_parent
) -> Result:
    return benchmark(
        [a_population()],
        Design(size=TINY, seed=3),
        processes=processes,
        begin_process=begin,
        journal=Journal(),
        on_start=lambda _streams, _seconds: None,
        on_progress=lambda done, total: seen.append((done, total)),
    )


def without_time(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [replace(outcome, cpu_s=0.0) for outcome in outcomes]


def test_several_processes_find_what_one_finds() -> None:
    progress: list[tuple[int, int]] = []

    alone, spread = measured(1, progress), measured(2, progress)

    assert without_time(alone.outcomes) == without_time(spread.outcomes)
    assert alone.delays == spread.delays
    assert len({outcome.detector for outcome in alone.outcomes}) > 8
    assert progress[2] == progress[-1] == (700, 700)
    assert sorted(progress[:3]) == progress[:3]


def rest(parent: int) -> None:
    """What a process begins with that never gets to work."""
    end_with_parent(parent)
    os.write(1, f"{os.getpid()}\n".encode())
    time.sleep(60)


def test_processes_end_with_the_benchmark() -> None:
    code = "from tests.integration.test_bench_spread import measured, rest; measured(2, [], rest)"

    assert ends_with_its_parent(code)
