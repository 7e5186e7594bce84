"""Which trials make a benchmark."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from monitors.bench.streams import CHANGES, MIXED, NULLS, Kind, Length
from monitors.bench.trials import Trial
from monitors.bench.worlds import World

#: Processor time of all detectors together, measured in a medium run, and of ours alone: of the start of a stream, and of
#: a conversation.
_ALL_S, _ALONE_S = (3.0, 0.008), (0.6, 0.0012)
_SEEN = 0.5  # of a stream with a change, on average over the detectors
SHARES = (0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is tried. More: narrower intervals, in proportion more time."""

    name: str
    nulls: int  # streams without a change, over all kinds and worlds
    trials: int  # of each family, kind of change and share
    shares: tuple[float, ...] = SHARES
    changes: tuple[Kind, ...] = CHANGES
    length: Length = field(default_factory=Length)
    timed: int = 2_000  # conversations that the cost is measured on
    endless: int = 1_000_000  # conversations that the memory is measured over


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
    """What a benchmark measures, whatever the conversations."""

    size: Size = FULL
    conversations_between_false_alarms: int = 20_000
    seed: int = 0
    alone: bool = False  # without the other detectors


def plan(worlds: Sequence[World], design: Design) -> list[Trial]:
    """Return all trials: null streams of each kind over the worlds in turn, changes over each family's worlds in turn."""
    families, size = by_family(worlds), design.size
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
            world=world,
            kind=kind,
            share=share,
            number=number,
            seed=design.seed,
            length=size.length,
            conversations_between_false_alarms=design.conversations_between_false_alarms,
        )
        for world, kind, share, number in chain(nulls, changes)
    ]


def by_family(worlds: Sequence[World]) -> dict[str, list[World]]:
    """Return the worlds whose figures are told together, by their family."""
    families: dict[str, list[World]] = {}
    for world in worlds:
        families.setdefault(world.family, []).append(world)
    return families


def estimated_s(trials: Sequence[Trial], *, alone: bool) -> float:
    """Return about how long all trials take on one core; changes are found before the end of most streams."""
    begin, conversation = _ALONE_S if alone else _ALL_S
    return sum(begin + (1.0 if trial.kind.null else _SEEN) * conversation * trial.weight for trial in trials)


def _null_streams(families: Mapping[str, Sequence[World]]) -> Iterator[tuple[World, Kind, float, int]]:
    """Go round: every kind for a family, then the next family. A mix can change only where there are two regimes."""
    number = 0
    while True:
        for found in families.values():
            world = found[number % len(found)]
            for kind in NULLS:
                if len(world.before) > 1 or kind not in MIXED:
                    yield world, kind, 0.0, number
        number += 1
