"""Where the streams of the benchmark come from: conversations by regime, and which regimes are new after a change."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitors.texts import is_han, user_text
from monitors.types import Sample

#: Between the id of a conversation of a pool and the number of its place in a stream.
_MARK = "#"
_LOOKED_AT = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The conversations of a file or a package, by regime: those of one regime are about the same things."""

    name: str
    regimes: Mapping[str, tuple[Sample, ...]]

    @property
    def samples(self) -> list[Sample]:
        """All of them."""
        return [sample for regime in self.regimes.values() for sample in regime]

    @property
    def chinese(self) -> bool:
        """Whether most conversations have Chinese in what the user says."""
        texts = [user_text(sample) for sample in self.samples[:: max(1, len(self.samples) // _LOOKED_AT)]]
        return 2 * sum(any(map(is_han, text)) for text in texts) > len(texts)


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """A population, and what becomes of it when it changes."""

    family: str  # worlds whose figures are told together
    name: str  # what is new
    before: Mapping[str, tuple[Sample, ...]]
    after: tuple[Sample, ...]


def worlds_of(sources: Sequence[Source]) -> tuple[World, ...]:
    """Leave out each regime of each source in turn, to be what is new; then change the language.

    A source of one regime has no worlds of its own.
    """
    return (*_left_out(sources), *_translated(sources))


def pool_id(sample: Sample) -> str:
    """Return the id that a sample of a stream has in its source."""
    return sample.id.partition(_MARK)[0]


def place_of(sample: Sample) -> int:
    """Return the place of a conversation in the traffic that a reference was drawn from."""
    return int(sample.id.partition(_MARK)[2])


def placed_id(sample: Sample, place: str) -> str:
    """Return an id for a conversation that a stream takes from its source, perhaps more than once."""
    return f"{sample.id}{_MARK}{place}"


def _left_out(sources: Sequence[Source]) -> Iterator[World]:
    for source in sources:
        for new in source.regimes if len(source.regimes) > 1 else ():
            before = {name: found for name, found in source.regimes.items() if name != new}
            yield World(family=source.name, name=new, before=before, after=source.regimes[new])


def _translated(sources: Sequence[Source]) -> Iterator[World]:
    """From the first source in another script than Chinese to the first Chinese one."""
    chinese = next((source for source in sources if source.chinese), None)
    other = next((source for source in sources if not source.chinese), None)
    if chinese and other:
        yield World(
            family=f"{other.name} to {chinese.name}",
            name="language",
            before=other.regimes,
            after=tuple(chinese.samples),
        )
