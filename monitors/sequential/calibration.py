"""Says what the detector would have done on a stream of one's own: how often it alarms for nothing, what it catches.

History is shuffled, so nothing changes in it by itself; a change is made by leaving out one of its topics from the
reference and mixing it in again.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from statistics import median

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD

from monitors.bench.measures import run_length_bounds
from monitors.errors import NothingToReport
from monitors.features import text_features
from monitors.sequential.edetector import EDetector
from monitors.texts import user_text
from monitors.types import Sample

SHARES = (1.0, 0.5, 0.2, 0.1)
_TOPICS, _DIMENSIONS = 8, 32
_FEWEST = 200  # conversations of history
#: A topic is left out where it is neither a handful nor half of everything.
_SMALLEST, _LARGEST = 0.03, 0.4
_BEFORE = 200  # conversations before the change


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """The detector on shuffled history."""

    conversations: int
    alarms: int
    run_length_at_least: float  # conversations between alarms, with 95% confidence


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """How soon it sees a topic that is new, in a share of the traffic."""

    share: float
    trials: int
    found: float  # share of the trials, within the horizon
    median: float  # conversations; infinite where fewer than half were found


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What to expect of the settings."""

    history: int  # conversations that it was made from
    topics: int  # that were left out in turn
    within: int  # conversations after a change that were looked at
    replay: Replay
    reaches: tuple[Reach, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trials:
    """How much is tried."""

    conversations: int = 20_000  # of shuffled history
    within: int = 1_000
    each: int = 8  # changes for each share
    seed: int = 0


NewDetector = Callable[[Sequence[Sample]], EDetector]


def calibrate(
    history: Sequence[Sample],
    *,
    reference_size: int,
    new_detector: NewDetector,
    trials: Trials,
    on_progress: Callable[[int, int], object] | None = None,
) -> Calibration:
    """Try the detector on history. The same arguments give the same answer.

    ``on_progress`` hears how many conversations are done, of how many at most. No change is tried where the history has
    no topic that could be left out. Raises NothingToReport where there is too little history.
    """
    if len(history) < _FEWEST:
        raise NothingToReport(f"{len(history)} conversations are too few to try anything; wait for {_FEWEST}")
    topics = _topics(history, trials.seed)
    shares = SHARES if topics else ()
    steps = _Steps(trials.conversations + len(shares) * trials.each * (_BEFORE + trials.within), on_progress)
    replay = _replay(history, reference_size, new_detector, trials, steps)
    reaches = tuple(_reach(share, topics, reference_size, new_detector, trials, steps) for share in shares)
    return Calibration(
        history=len(history), topics=len(topics), within=trials.within, replay=replay, reaches=reaches
    )


class _Steps:
    """Counts what is done; a trial that ends early counts as a whole one."""

    def __init__(self, total: int, tell: Callable[[int, int], object] | None) -> None:
        self._done, self._total, self._tell = 0, total, tell

    def add(self, count: int) -> None:
        self._done += count
        if self._tell is not None:
            self._tell(self._done, self._total)


def _replay(
    history: Sequence[Sample], size: int, new_detector: NewDetector, trials: Trials, steps: _Steps
) -> Replay:
    chance = random.Random(trials.seed)  # noqa: S311 - not a secret
    detector = new_detector(_reference(history, size, chance))
    alarms = 0
    for number in range(trials.conversations):
        detector.see(number, _of_somebody(chance.choice(history), number))
        if detector.alarmed:
            alarms += 1
            detector.restart()
        if (number + 1) % 100 == 0:
            steps.add(100)
    at_least, _ = run_length_bounds(alarms, trials.conversations)
    return Replay(conversations=trials.conversations, alarms=alarms, run_length_at_least=at_least)


def _reach(
    share: float,
    topics: Sequence[tuple[Sequence[Sample], Sequence[Sample]]],
    size: int,
    new_detector: NewDetector,
    trials: Trials,
    steps: _Steps,
) -> Reach:
    delays = []
    for trial in range(trials.each):
        chance = random.Random(f"{trials.seed}/{share}/{trial}")  # noqa: S311
        new, rest = topics[trial % len(topics)]
        detector = new_detector(_reference(rest, size, chance))
        delays.append(_delay(detector, share, new, rest, trials.within, chance))
        steps.add(_BEFORE + trials.within)
    return Reach(
        share=share,
        trials=trials.each,
        found=sum(delay < inf for delay in delays) / trials.each,
        median=median(delays),
    )


def _delay(
    detector: EDetector,
    share: float,
    new: Sequence[Sample],
    rest: Sequence[Sample],
    within: int,
    chance: random.Random,
) -> float:
    """Return how many conversations after the change the alarm comes; infinity where it does not come in time."""
    for number in range(_BEFORE + within):
        changed = number >= _BEFORE
        sample = chance.choice(new if changed and chance.random() < share else rest)
        detector.see(number, _of_somebody(sample, number))
        if detector.alarmed:
            if changed:
                return number + 1 - _BEFORE
            detector.restart()
    return inf


def _topics(history: Sequence[Sample], seed: int) -> list[tuple[list[Sample], list[Sample]]]:
    """Return what can be left out, each with all the rest: clusters of what users say."""
    if len({user_text(sample) for sample in history}) <= _DIMENSIONS:
        return []  # the same few things are said again and again
    features = text_features([user_text(sample) for sample in history])
    reduced = TruncatedSVD(_DIMENSIONS, random_state=seed).fit_transform(features)
    label = KMeans(_TOPICS, n_init=4, random_state=seed).fit_predict(reduced)
    found = []
    for topic in range(_TOPICS):
        inside = np.asarray(label == topic)
        if _SMALLEST <= inside.mean() <= _LARGEST:
            new = [sample for sample, member in zip(history, inside, strict=True) if member]
            found.append(
                (new, [sample for sample, member in zip(history, inside, strict=True) if not member])
            )
    return found


def _reference(history: Sequence[Sample], size: int, chance: random.Random) -> list[Sample]:
    return [_of_somebody(sample, -number) for number, sample in enumerate(chance.choices(history, k=size), 1)]


def _of_somebody(sample: Sample, number: int) -> Sample:
    """The same conversation, of a user who is new: what is drawn again is not the same person's."""
    return replace(sample, group=f"drawn {number}")
