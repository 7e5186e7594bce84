"""The populations of the benchmark: conversations by regime, and the regimes that are new after a change."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitors.texts import is_han, user_text
from monitors.types import Sample

#: Separates the id of a conversation in its source from its place in a stream.
_MARK = "#"
_SAMPLED = 50  # conversations that decide on the script of a source


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The conversations of a file or a package, by regime. A regime has one subject."""

    name: str
    regimes: Mapping[str, tuple[Sample, ...]]

    @property
    def samples(self) -> list[Sample]:
        """All of them."""
        return [sample for regime in self.regimes.values() for sample in regime]

    @property
    def chinese(self) -> bool:
        """Whether most conversations have Chinese in what the user says."""
        texts = [user_text(sample) for sample in self.samples[:: max(1, len(self.samples) // _SAMPLED)]]
        return 2 * sum(any(map(is_han, text)) for text in texts) > len(texts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Population:
    """Conversations before and after a change."""

    family: str  # populations of one family are summarised together
    name: str  # of the new regime
    before: Mapping[str, tuple[Sample, ...]]
    after: tuple[Sample, ...]


def populations_of(sources: Sequence[Source]) -> tuple[Population, ...]:
    """Return a population for each regime of each source, which is new after the change, and one that changes the language.

    A source with one regime has no population of its own.
    """
    return (*_left_out(sources), *_translated(sources))


def pool_id(sample: Sample) -> str:
    """Return the id in its source of a sample of a stream."""
    return sample.id.partition(_MARK)[0]


def place_of(sample: Sample) -> int:
    """Return the place of a conversation in the traffic that a reference was drawn from."""
    return int(sample.id.partition(_MARK)[2])


def placed_id(sample: Sample, place: str) -> str:
    """Return an id for a conversation in a stream, which may contain it several times."""
    return f"{sample.id}{_MARK}{place}"


def _left_out(sources: Sequence[Source]) -> Iterator[Population]:
    for source in sources:
        for new in source.regimes if len(source.regimes) > 1 else ():
            before = {name: found for name, found in source.regimes.items() if name != new}
            yield Population(family=source.name, name=new, before=before, after=source.regimes[new])


def _translated(sources: Sequence[Source]) -> Iterator[Population]:
    """Yield a change from the first source that is not Chinese to the first Chinese one."""
    chinese = next((source for source in sources if source.chinese), None)
    other = next((source for source in sources if not source.chinese), None)
    if chinese and other:
        yield Population(
            family=f"{other.name} to {chinese.name}",
            name="language",
            before=other.regimes,
            after=tuple(chinese.samples),
        )
