"""The benchmark over several processes: the same as in one."""

from collections.abc import Sequence
from dataclasses import replace

from monitors.bench.benchmark import Result, benchmark
from monitors.bench.journal import Journal
from monitors.bench.plan import Design
from monitors.bench.trials import Outcome
from tests.factories_bench import TINY, a_world


def measured(processes: int, seen: list[tuple[int, int]]) -> Result:
    return benchmark(
        [a_world()],
        Design(size=TINY, seed=3),
        processes=processes,
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
