"""How often the words that an explanation names are those of what is new."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from monitors.bench.plan import Design, by_family
from monitors.bench.streams import Kind, make
from monitors.bench.worlds import World
from monitors.pieces import Pieces, pieces_of
from monitors.texts import user_text, words
from monitors.types import Sample
from monitors.wording import changed_words, log_odds, surest_first

WINDOW = 100  # conversations, as the daemon judges them by default
NAMED = 10  # words that are named, at most
_TELLING = 20  # words that tell best, on all there is, what is new from what was there
_LOOKED_AT = 2_000  # conversations of either side, for that
_CHARACTERS = 4_000
_LEAST_SHARE = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """What was named in windows of a family of worlds with a share of new traffic."""

    family: str
    share: float
    windows: int
    hits: int  # windows in which one of the most telling words is among those named
    rightly: float  # share of the words named as new that are among the most telling, on average


def naming(worlds: Sequence[World], design: Design) -> Iterator[Named]:
    """Name the words of one window of each trial, for each family and each share from a fifth on."""
    for family, found in by_family(worlds).items():
        for share in (share for share in design.size.shares if share >= _LEAST_SHARE):
            rights = [
                _rightly(found[number % len(found)], share, design, number)
                for number in range(design.size.trials)
            ]
            yield Named(
                family=family,
                share=share,
                windows=len(rights),
                hits=sum(right > 0 for right in rights),
                rightly=float(np.mean(rights)),
            )


def _rightly(world: World, share: float, design: Design, number: int) -> float:
    """Return the share of the words named as new in a window right after a change that are telling; 0 where none is."""
    length = replace(design.size.length, after=WINDOW)
    seed = f"{design.seed}/named/{world.family}/{world.name}/{share}/{number}"
    stream = make(world, Kind.ABRUPT, share=share, length=length, seed=seed)
    both = [*stream.reference, *stream.samples[stream.change_at :]]
    changes = changed_words(_said(both), np.arange(len(both)) >= len(stream.reference), limit=NAMED)
    new = [change.name for change in changes if change.score > 0]
    return sum(name in _telling(world) for name in new) / len(new) if new else 0.0


def _telling(world: World) -> frozenset[str]:
    known = _known()
    if (key := f"{world.family}/{world.name}") not in known:
        draw = random.Random(0)  # noqa: S311 - not a secret
        everything = [sample for regime in world.before.values() for sample in regime]
        before, after = (
            draw.sample(list(side), min(_LOOKED_AT, len(side))) for side in (everything, world.after)
        )
        said = _said([*before, *after])
        z = log_odds(said, np.arange(len(before) + len(after)) >= len(before))
        newest = [i for i in surest_first(said.names, z) if z[i] > 0][:_TELLING]
        known[key] = frozenset(said.names[i] for i in newest)
    return known[key]


@cache
def _known() -> dict[str, frozenset[str]]:
    return {}


def _said(samples: Sequence[Sample]) -> Pieces:
    return pieces_of((words(user_text(sample)[:_CHARACTERS]) for sample in samples), samples)
