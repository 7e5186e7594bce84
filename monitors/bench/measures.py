"""Summarises the outcomes of trials: false-alarm rates, delays, cost."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median

from monitors.bench.streams import Kind
from monitors.bench.trials import Outcome
from monitors.sequential.run_length import run_length_bounds

#: Marks a summary of all families or kinds of stream.
ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class FalseAlarms:
    """The alarms of a detector on streams without a change."""

    detector: str
    streams: str  # their kind, or ALL kinds that the promise covers
    conversations: int
    alarms: int
    per_10_000: float
    #: Average run length in conversations, if alarms are a Poisson process, with 95% bounds on each side.
    arl: float
    arl_lower: float
    arl_upper: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Delay:
    """The delays of a detector after a change."""

    detector: str
    family: str  # or ALL
    kind: Kind
    share: float
    trials: int
    found: float  # share of the trials with an alarm before the end
    #: In conversations; infinite where too few changes were found.
    median: float
    p90: float
    early: int  # alarms before the change


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """The mean cost of a conversation for a detector."""

    detector: str
    cpu_us: float


def false_alarms(detector: str, streams: str, outcomes: Sequence[Outcome]) -> FalseAlarms:
    """Summarise the alarms of a detector on null streams."""
    count, seen = sum(o.false_alarms for o in outcomes), sum(o.conversations for o in outcomes)
    lower, upper = run_length_bounds(count, seen)
    return FalseAlarms(
        detector=detector,
        streams=streams,
        conversations=seen,
        alarms=count,
        per_10_000=1e4 * count / seen,
        arl=seen / count if count else inf,
        arl_lower=lower,
        arl_upper=upper,
    )


def delay(detector: str, family: str, kind: Kind, share: float, outcomes: Sequence[Outcome]) -> Delay:
    """Summarise the delays of a detector. A change that was not found has an infinite delay."""
    delays = sorted(inf if o.delay is None else o.delay for o in outcomes)
    return Delay(
        detector=detector,
        family=family,
        kind=kind,
        share=share,
        trials=len(delays),
        found=sum(d < inf for d in delays) / len(delays),
        median=median(delays),
        p90=delays[min(len(delays) - 1, int(0.9 * len(delays)))],
        early=sum(o.false_alarms for o in outcomes),
    )


def all_false_alarms(outcomes: Sequence[Outcome], promised: Iterable[Kind]) -> Iterator[FalseAlarms]:
    """Yield the false alarms of each detector: of all kinds that the promise covers, then of each kind."""
    null, covered = [o for o in outcomes if o.kind.null], set(promised)
    for detector in names(null):
        mine = [o for o in null if o.detector == detector]
        together = [o for o in mine if o.kind in covered]
        if together:
            yield false_alarms(detector, ALL, together)
        for kind in dict.fromkeys(o.kind for o in mine):
            yield false_alarms(detector, kind, [o for o in mine if o.kind is kind])


def all_delays(outcomes: Sequence[Outcome]) -> Iterator[Delay]:
    """Yield the delays of each detector by kind of change and share: of all families, then of each."""
    changed = [o for o in outcomes if not o.kind.null]
    cells: dict[tuple[str, str, Kind, float], list[Outcome]] = {}
    for o in changed:
        for family in (ALL, o.family):
            cells.setdefault((o.detector, family, o.kind, o.share), []).append(o)
    for (detector, family, kind, share), found in cells.items():
        yield delay(detector, family, kind, share, found)


def all_costs(outcomes: Sequence[Outcome]) -> Iterator[Cost]:
    """Yield the cost of each detector."""
    for detector in names(outcomes):
        mine = [o for o in outcomes if o.detector == detector]
        yield Cost(
            detector=detector, cpu_us=1e6 * sum(o.cpu_s for o in mine) / sum(o.conversations for o in mine)
        )


def names(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the detectors, in order."""
    return list(dict.fromkeys(outcome.detector for outcome in outcomes))
