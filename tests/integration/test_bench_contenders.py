"""Every detector of the benchmark, the others' included, as far as they are installed."""

from collections.abc import Sequence

import pytest

from monitors.bench.contenders import OURS, Setting, Windowed
from monitors.bench.participants import contenders
from monitors.bench.streams import Kind, Length, make
from monitors.bench.trials import Trial, alarms_of, run
from monitors.bench.vectors import embed
from monitors.types import Sample
from tests.factories.bench import a_population

FIELD = contenders()


@pytest.mark.parametrize("name", FIELD.makers)
def test_a_stream_that_becomes_another_raises_an_alarm(name: str) -> None:
    population = a_population()
    stream = make(
        population, Kind.ABRUPT, share=1.0, length=Length(reference=200, before=200, after=900), seed="c"
    )
    setting = Setting(
        reference=stream.reference,
        counting=stream.counting,
        block=stream.block,
        vectors=embed(population),
        conversations_between_false_alarms=20_000,
        seed=0,
    )

    alarms, seen = alarms_of(FIELD.makers[name](setting), stream)

    assert stream.change_at is not None
    assert alarms[-1] >= stream.change_at
    assert alarms[-1] == seen - 1  # nothing is seen after the alarm that counts


def test_windows_do_not_overlap_and_only_full_ones_are_judged() -> None:
    windows: list[int] = []

    def test(window: Sequence[Sample]) -> bool:
        windows.append(len(window))
        return True

    (sample, *_) = a_population().after
    contender = Windowed(test, size=3)

    assert [contender.observe(sample) for _ in range(7)] == [False, False, True, False, False, True, False]
    assert windows == [3, 3]


def test_a_null_stream_is_watched_to_its_end_and_every_alarm_counts() -> None:
    population = a_population()
    trial = Trial(
        population=population,
        kind=Kind.IID,
        share=0.0,
        number=0,
        seed=0,
        length=Length(reference=50, null=90),
        conversations_between_false_alarms=20_000,
    )

    (outcome,) = run(trial, {"always": lambda _: Windowed(lambda _: True, size=10)}, {})

    assert (outcome.conversations, outcome.false_alarms, outcome.delay) == (90, 9, None)


def test_ours_goes_on_after_an_alarm() -> None:
    population = a_population()
    stream = make(
        population, Kind.ABRUPT, share=1.0, length=Length(reference=200, before=40, after=400), seed="d"
    )
    setting = Setting(
        reference=stream.reference,
        counting=stream.counting,
        block=stream.block,
        vectors={},
        conversations_between_false_alarms=20_000,
        seed=0,
    )
    contender = FIELD.makers[OURS](setting)

    assert sum(contender.observe(sample) for sample in stream.samples) > 2


def test_slow_ones_take_part_in_few_trials() -> None:
    assert set(FIELD.of_trial(0)) == set(FIELD.makers)
    assert "Evidently text, default" not in FIELD.of_trial(1)
    assert OURS in FIELD.of_trial(1)
