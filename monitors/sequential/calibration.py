"""Estimates on a stream's own history how often the detector raises false alarms, and which changes it finds.

The history is shuffled, so that it has no change of its own. A change is made by leaving one topic out of the reference
and mixing it in later.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from statistics import median

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD

from monitors.errors import NothingToReport
from monitors.features import text_features
from monitors.sequential.edetector import EDetector
from monitors.sequential.run_length import run_length_bounds
from monitors.texts import user_text
from monitors.types import Sample

SHARES = (1.0, 0.5, 0.2, 0.1)
_TOPICS, _DIMENSIONS = 8, 32
_MIN_HISTORY = 200  # conversations
#: Share of the history that a topic must have to be left out.
_SMALLEST, _LARGEST = 0.03, 0.4
_BEFORE = 200  # conversations before the change


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """The detector's alarms on shuffled history."""

    conversations: int
    alarms: int
    run_length_at_least: float  # conversations between alarms, with 95% confidence


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """How soon the detector finds a new topic with a share of the traffic."""

    share: float
    trials: int
    found: float  # share of the trials with an alarm in time
    median: float  # conversations; infinite where fewer than half were found


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What to expect of the detector's settings."""

    history: int  # conversations
    topics: int  # that were left out in turn
    within: int  # conversations after a change in which an alarm is in time
    replay: Replay
    reaches: tuple[Reach, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trials:
    """The number and size of trials."""

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
    """Run the detector on shuffled history. The same arguments give the same result.

    ``on_progress`` gets the number of conversations done, and of all. No change is tried where the history has no topic
    to leave out. Raises NothingToReport where there is too little history.
    """
    if len(history) < _MIN_HISTORY:
        raise NothingToReport(
            f"{len(history)} conversations are too few to try anything; wait for {_MIN_HISTORY}"
        )
    topics = _topics(history, trials.seed)
    shares = SHARES if topics else ()
    steps = _Steps(trials.conversations + len(shares) * trials.each * (_BEFORE + trials.within), on_progress)
    replay = _replay(history, reference_size, new_detector, trials, steps)
    reaches = tuple(_reach(share, topics, reference_size, new_detector, trials, steps) for share in shares)
    return Calibration(
        history=len(history), topics=len(topics), within=trials.within, replay=replay, reaches=reaches
    )


class _Steps:
    """Counts the conversations done; a trial that ends early counts as a whole one."""

    def __init__(self, total: int, report: Callable[[int, int], object] | None) -> None:
        self._done, self._total, self._report = 0, total, report

    def add(self, count: int) -> None:
        self._done += count
        if self._report is not None:
            self._report(self._done, self._total)


def _replay(
    history: Sequence[Sample], size: int, new_detector: NewDetector, trials: Trials, steps: _Steps
) -> Replay:
    chance = random.Random(trials.seed)  # noqa: S311 - not a secret
    detector = new_detector(_reference(history, size, chance))
    alarms = 0
    for number in range(trials.conversations):
        detector.observe(number, _of_new_user(chance.choice(history), number))
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
    """Return the number of conversations from the change to the alarm; infinity without an alarm in time."""
    for number in range(_BEFORE + within):
        changed = number >= _BEFORE
        sample = chance.choice(new if changed and chance.random() < share else rest)
        detector.observe(number, _of_new_user(sample, number))
        if detector.alarmed:
            if changed:
                return number + 1 - _BEFORE
            detector.restart()
    return inf


def _topics(history: Sequence[Sample], seed: int) -> list[tuple[list[Sample], list[Sample]]]:
    """Return the topics that can be left out, each with the rest: clusters of what users say."""
    if len({user_text(sample) for sample in history}) <= _DIMENSIONS:
        return []  # too few distinct texts to cluster
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
    return [_of_new_user(sample, -number) for number, sample in enumerate(chance.choices(history, k=size), 1)]


def _of_new_user(sample: Sample, number: int) -> Sample:
    """Return the conversation with a user of its own, as it may be drawn several times."""
    return replace(sample, group=f"drawn {number}")
