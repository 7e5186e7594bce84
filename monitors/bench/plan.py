"""Plans the trials of a benchmark."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from monitors.bench.populations import Population
from monitors.bench.streams import CHANGES, MIXED, NULLS, Kind, Length
from monitors.bench.trials import Trial

#: Processor time of a stream's start and of a conversation, for all detectors and for ours alone.
_ALL_S, _ALONE_S = (3.0, 0.008), (0.6, 0.0012)
_OBSERVED = 0.5  # mean share of a stream with a change that is observed
SHARES = (0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """The number and length of trials. More: narrower intervals, and proportionally more time."""

    name: str
    nulls: int  # streams without a change, over all kinds and populations
    trials: int  # of each family, kind of change and share
    shares: tuple[float, ...] = SHARES
    changes: tuple[Kind, ...] = CHANGES
    length: Length = field(default_factory=Length)
    timed: int = 2_000  # conversations of the measurement of cost
    endless: int = 1_000_000  # conversations of the measurement of memory


FULL = Size(name="full", nulls=200, trials=10)
MEDIUM = Size(name="medium", nulls=32, trials=1, length=Length(null=3_000), endless=100_000, timed=1_000)
QUICK = Size(
    name="quick",
    nulls=4,
    trials=1,
    shares=(0.2, 1.0),
    changes=(Kind.ABRUPT,),
    length=Length(reference=300, null=600, before=200, after=600),
    timed=200,
    endless=2_000,
)
SIZES: Mapping[str, Size] = {size.name: size for size in (QUICK, MEDIUM, FULL)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """What a benchmark measures, independent of the conversations."""

    size: Size = FULL
    conversations_between_false_alarms: int = 20_000
    seed: int = 0
    alone: bool = False  # without the other detectors


def plan(populations: Sequence[Population], design: Design) -> list[Trial]:
    """Return all trials: null streams of each kind, then changes, over the populations of each family in turn."""
    families, size = by_family(populations), design.size
    nulls = islice(_null_streams(families), size.nulls)
    changes = (
        (found[number % len(found)], kind, share, number)
        for number in range(size.trials)
        for found in families.values()
        for kind in size.changes
        for share in size.shares
    )
    return [
        Trial(
            population=population,
            kind=kind,
            share=share,
            number=number,
            seed=design.seed,
            length=size.length,
            conversations_between_false_alarms=design.conversations_between_false_alarms,
        )
        for population, kind, share, number in chain(nulls, changes)
    ]


def by_family(populations: Sequence[Population]) -> dict[str, list[Population]]:
    """Return the populations by family."""
    families: dict[str, list[Population]] = {}
    for population in populations:
        families.setdefault(population.family, []).append(population)
    return families


def estimated_s(trials: Sequence[Trial], *, alone: bool) -> float:
    """Return the estimated seconds of all trials on one core."""
    begin, conversation = _ALONE_S if alone else _ALL_S
    return sum(
        begin + (1.0 if trial.kind.null else _OBSERVED) * conversation * trial.weight for trial in trials
    )


def _null_streams(
    families: Mapping[str, Sequence[Population]],
) -> Iterator[tuple[Population, Kind, float, int]]:
    """Yield every kind for a family, then for the next one, again and again. Mixed kinds need two regimes."""
    number = 0
    while True:
        for found in families.values():
            population = found[number % len(found)]
            for kind in NULLS:
                if len(population.before) > 1 or kind not in MIXED:
                    yield population, kind, 0.0, number
        number += 1
