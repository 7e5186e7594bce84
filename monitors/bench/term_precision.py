"""Measures how often the words that an explanation names belong to the new regime."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitors.bench.plan import Design, by_family
from monitors.bench.populations import Population
from monitors.bench.streams import Kind, make
from monitors.explanation.changed_terms import changed_words
from monitors.explanation.terms import Terms, terms_of
from monitors.texts import user_text, words
from monitors.types import Sample

WINDOW = 100  # conversations, as the daemon judges them by default
NAMED = 10  # words that are named, at most
#: A word belongs to the new regime if its share of the words there is more than this multiple of its share before.
_RATIO = 2.0
_CHARACTERS = 4_000
_MIN_SHARE = 0.2  # of new traffic
_MAJORITY = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class TermPrecision:
    """The words named in windows of one family and share of new traffic. Field names are columns of named.csv."""

    family: str
    share: float
    windows: int
    hits: int  # windows with at least one word of the new regime among those named as more common
    mostly: int  # windows in which most of these words are of the new regime
    rightly: float  # mean share of these words that are of the new regime


def term_precisions(populations: Sequence[Population], design: Design) -> Iterator[TermPrecision]:
    """Yield the precision for each family and each share of new traffic from a fifth on."""
    for family, every in by_family(populations).items():
        found = [(population, _new_words(population)) for population in every[: design.size.trials]]
        for share in (share for share in design.size.shares if share >= _MIN_SHARE):
            precisions = [
                _precision(*found[number % len(found)], share, design, number)
                for number in range(design.size.trials)
            ]
            yield TermPrecision(
                family=family,
                share=share,
                windows=len(precisions),
                hits=sum(precision > 0 for precision in precisions),
                mostly=sum(precision > _MAJORITY for precision in precisions),
                rightly=float(np.mean(precisions)),
            )


def _precision(
    population: Population, new_words: frozenset[str], share: float, design: Design, number: int
) -> float:
    """Return the share of words of the new regime among those named as more common in a window after a change."""
    length = replace(design.size.length, after=WINDOW)
    seed = f"{design.seed}/named/{population.family}/{population.name}/{share}/{number}"
    stream = make(population, Kind.ABRUPT, share=share, length=length, seed=seed)
    both = [*stream.reference, *stream.samples[stream.change_at :]]
    named = changed_words(_terms(both), np.arange(len(both)) >= len(stream.reference), limit=NAMED)
    new = [change.name for change in named if change.score > 0]
    return sum(name in new_words for name in new) / len(new) if new else 0.0


def _new_words(population: Population) -> frozenset[str]:
    before = [sample for regime in population.before.values() for sample in regime]
    terms = _terms([*before, *population.after])
    past, new = (
        np.asarray(terms.has[rows].sum(axis=0)).ravel() / terms.totals[rows].sum()
        for rows in (slice(len(before)), slice(len(before), None))
    )
    return frozenset(terms.names[i] for i in np.flatnonzero(new > _RATIO * past))


def _terms(samples: Sequence[Sample]) -> Terms:
    return terms_of((words(user_text(sample)[:_CHARACTERS]) for sample in samples), samples)
