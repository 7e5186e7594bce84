"""What an explanation is worth: how often it names what is new, how often what is not, and what it costs."""

import random
import time

import numpy as np
import pytest

from daemon.bench.sources import load_populations
from daemon.domain.clock import utc_now
from monitors.bench.populations import Population
from monitors.explanation.changed_terms import changed_words, log_odds, most_certain_first
from monitors.explanation.explain import explain
from monitors.explanation.report import packed_report
from monitors.explanation.terms import Terms, terms_of
from monitors.explanation.topics import changed_topics
from monitors.settings import MONITORS, MonitorSettings
from monitors.texts import user_text, words
from monitors.types import Sample
from monitors.window.monitors_by_name import build
from tests.benchmarks.figures import tell
from tests.benchmarks.test_drift import SHARED
from tests.factories.monitors import a_reference, a_window

SIDE = 500
NAMED = 10
TRULY_NEW = 20  # words that tell a new regime from all others on everything there is
FILES = [
    path for name in ("sgd", "crosswoz_zh", "banking77") if (path := SHARED / f"{name}.jsonl.gz").exists()
]


@pytest.fixture(scope="module")
def populations() -> tuple[Population, ...]:
    if not FILES:
        pytest.skip("there are no conversations in ../shared/data")
    return load_populations(FILES, packages=False, now=utc_now())


def said_by(samples: list[Sample]) -> Terms:
    return terms_of((words(user_text(sample)[:4_000]) for sample in samples), samples)


def before_of(population: Population) -> list[Sample]:
    return [sample for regime in population.before.values() for sample in regime]


def new_words(population: Population) -> set[str]:
    """The words that are new in truth."""
    draw = random.Random(0)
    before, after = (
        draw.sample(list(conversations), min(2_000, len(conversations)))
        for conversations in (before_of(population), population.after)
    )
    terms = said_by([*before, *after])
    z = log_odds(terms, np.arange(len(before) + len(after)) >= len(before))
    return {terms.names[i] for i in [i for i in most_certain_first(terms.names, z) if z[i] > 0][:TRULY_NEW]}


def mixed(population: Population, share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """A reference, and a window of which a share is new."""
    draw = random.Random(f"{population.name}{seed}")
    before = before_of(population)
    draw.shuffle(before)
    side = min(SIDE, len(before) // 2)
    new = min(round(share * side), len(population.after))
    return before[:side], [*before[side : 2 * side - new], *draw.sample(list(population.after), new)]


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_what_is_new_is_among_what_is_named(populations: tuple[Population, ...], share: float) -> None:
    by_words = by_topics = 0
    for population in populations:
        reference, window = mixed(population, share, seed=1)
        both, truly = [*reference, *window], new_words(population)
        terms, is_new = said_by(both), np.arange(len(both)) >= len(reference)
        first = {change.name for change in changed_words(terms, is_new, limit=NAMED)}
        by_words += bool(truly & first)
        topics = [t for t in changed_topics(terms, both, is_new, seed=0) if t.window > t.reference]
        by_topics += any(truly & {*topic.words} for topic in topics)

    tell(
        f"{share:.0%} new: among the ten words named is one that is new in truth",
        100 * by_words / len(populations),
        "%",
    )
    tell(f"{share:.0%} new: a topic is named by one", 100 * by_topics / len(populations), "%")
    assert by_words / len(populations) >= 0.8


@pytest.mark.timeout(1_800)
def test_topics_of_windows_in_which_nothing_changed(populations: tuple[Population, ...]) -> None:
    named = windows = 0
    for population in {population.family: population for population in populations}.values():
        for seed in range(20):
            reference, window = mixed(population, 0.0, seed)
            both = [*reference, *window]
            is_new = np.arange(len(both)) >= len(reference)
            named += bool(changed_topics(said_by(both), both, is_new, seed=seed))
            windows += 1

    tell(f"of {windows} windows without change, a topic is named in", 100 * named / windows, "%")
    assert named / windows <= 0.1


@pytest.mark.timeout(600)
def test_what_it_costs(populations: tuple[Population, ...]) -> None:
    reference, window = mixed(populations[0], 0.5, seed=1)
    past, current, settings = a_reference(reference), a_window(window), MonitorSettings(alarmed=True)
    verdicts = [build(name, settings).judge(current, past) for name in MONITORS]
    explain(a_window(window[:20]), a_reference(reference[:20]))  # what is loaded, is

    started = time.process_time()
    explanation = explain(current, past)
    explained = time.process_time()
    page = packed_report(current, past, verdicts, explanation, settings)

    tell(f"an explanation of {SIDE} x {SIDE} conversations", explained - started, "s of one core")
    tell("its report", time.process_time() - explained, "s of one core")
    tell("its size", len(page) / 1e6, "MB")
    assert time.process_time() - started < 10
