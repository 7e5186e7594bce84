"""How often the words that an explanation names are those of what is new."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitors.bench.plan import Design, by_family
from monitors.bench.streams import Kind, make
from monitors.bench.worlds import World
from monitors.explanation.changed_terms import changed_words
from monitors.explanation.terms import Terms, terms_of
from monitors.texts import user_text, words
from monitors.types import Sample

WINDOW = 100  # conversations, as the daemon judges them by default
NAMED = 10  # words that are named, at most
#: A word is of what is new if its share of all words there is so many times that of all words of what was before.
_TIMES = 2.0
_CHARACTERS = 4_000
_LEAST_SHARE = 0.2
_MOST = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """What was named in windows of a family of worlds with a share of new traffic."""

    family: str
    share: float
    windows: int
    hits: int  # windows in which one of the words named as more common, at least, is of what is new
    mostly: int  # windows in which most of them are
    rightly: float  # share of them that are, on average over the windows


def naming(worlds: Sequence[World], design: Design) -> Iterator[Named]:
    """Name the words of one window of each trial, for each family and each share from a fifth on."""
    for family, every in by_family(worlds).items():
        found = [(world, _new_words(world)) for world in every[: design.size.trials]]
        for share in (share for share in design.size.shares if share >= _LEAST_SHARE):
            rights = [
                _rightly(*found[number % len(found)], share, design, number)
                for number in range(design.size.trials)
            ]
            yield Named(
                family=family,
                share=share,
                windows=len(rights),
                hits=sum(right > 0 for right in rights),
                mostly=sum(right > _MOST for right in rights),
                rightly=float(np.mean(rights)),
            )


def _rightly(world: World, truly: frozenset[str], share: float, design: Design, number: int) -> float:
    """Return the share of the words named as more common in a window right after a change that are of what is new."""
    length = replace(design.size.length, after=WINDOW)
    seed = f"{design.seed}/named/{world.family}/{world.name}/{share}/{number}"
    stream = make(world, Kind.ABRUPT, share=share, length=length, seed=seed)
    both = [*stream.reference, *stream.samples[stream.change_at :]]
    named = changed_words(_said(both), np.arange(len(both)) >= len(stream.reference), limit=NAMED)
    new = [change.name for change in named if change.score > 0]
    return sum(name in truly for name in new) / len(new) if new else 0.0


def _new_words(world: World) -> frozenset[str]:
    before = [sample for regime in world.before.values() for sample in regime]
    said = _said([*before, *world.after])
    past, new = (
        np.asarray(said.has[rows].sum(axis=0)).ravel() / said.totals[rows].sum()
        for rows in (slice(len(before)), slice(len(before), None))
    )
    return frozenset(said.names[i] for i in np.flatnonzero(new > _TIMES * past))


def _said(samples: Sequence[Sample]) -> Terms:
    return terms_of((words(user_text(sample)[:_CHARACTERS]) for sample in samples), samples)
