"""The benchmark over several processes: the same as in one."""

from collections.abc import Sequence
from dataclasses import replace

from monitors.bench.benchmark import Result, benchmark
from monitors.bench.plan import Size
from monitors.bench.streams import Kind, Length
from monitors.bench.trials import Outcome
from tests.factories_bench import a_world

TINY = Size(
    name="tiny",
    nulls=2,
    trials=1,
    shares=(1.0,),
    changes=(Kind.ABRUPT,),
    length=Length(reference=60, null=220, before=40, after=220),
    timed=10,
    endless=10,
)


def measured(processes: int, seen: list[tuple[int, int]]) -> Result:
    return benchmark(
        [a_world()],
        TINY,
        conversations_between_false_alarms=20_000,
        seed=3,
        processes=processes,
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
