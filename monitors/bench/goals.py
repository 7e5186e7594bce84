"""The goals of our detector, and whether it meets them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from monitors.bench.contenders import OURS
from monitors.bench.cost import DetectorCost
from monitors.bench.measures import ALL, Delay, FalseAlarms
from monitors.bench.streams import Kind
from monitors.bench.term_precision import NAMED, WINDOW, TermPrecision

#: Maximum median delays in conversations, by the share of new traffic.
_DELAYS: Mapping[float, int] = {1.0: 130, 0.2: 600}
_NAMED = 0.8
_UPDATE_US, _CONFIRMATION_S, _GROWN_MB = 1_000, 2.0, 8.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """A goal with the measured figure."""

    name: str
    wanted: str
    measured: str
    met: bool


def goals(
    rates: Sequence[FalseAlarms],
    delays: Sequence[Delay],
    cost: DetectorCost,
    named: Sequence[TermPrecision],
    *,
    declared: int,
) -> tuple[Goal, ...]:
    """Return all goals with the figures."""
    return (
        *_run_length(rates, declared),
        *_delays(delays),
        *_peers(rates, delays, declared),
        *_term_precision(named),
        Goal(
            name="one update on one core",
            wanted=f"at most {_UPDATE_US} µs",
            measured=f"{cost.update_us:.0f} µs (p99 {cost.update_p99_us:.0f})",
            met=cost.update_us <= _UPDATE_US,
        ),
        Goal(
            name="a confirmation of 500 by 500",
            wanted=f"at most {_CONFIRMATION_S:.0f} s",
            measured=f"{cost.confirmation_s:.2f} s",
            met=cost.confirmation_s <= _CONFIRMATION_S,
        ),
        Goal(
            name=f"memory over {cost.endless:,} conversations",
            wanted=f"grows by at most {_GROWN_MB:.0f} MB",
            measured=f"{cost.grown_mb:+.1f} MB",
            met=cost.grown_mb <= _GROWN_MB,
        ),
    )


def _run_length(rates: Sequence[FalseAlarms], declared: int) -> Iterator[Goal]:
    for rate in rates:
        if rate.detector == OURS and rate.streams == ALL:
            yield Goal(
                name="lower 95% bound of the average run length",
                wanted=f"at least {declared:,}",
                measured=f"{rate.arl_lower:,.0f} ({rate.alarms} alarms in {rate.conversations:,})",
                met=rate.arl_lower >= declared,
            )


def _delays(delays: Sequence[Delay]) -> Iterator[Goal]:
    for share, most in _DELAYS.items():
        for found in delays:
            if (found.detector, found.kind, found.share) == (OURS, Kind.ABRUPT, share):
                yield Goal(
                    name=f"median delay at {share:.0%} new, {found.family}",
                    wanted=f"at most {most}",
                    measured=f"{number(found.median)} ({found.trials} trials)",
                    met=found.median <= most,
                )


def _peers(rates: Sequence[FalseAlarms], delays: Sequence[Delay], declared: int) -> Iterator[Goal]:
    """Compare with detectors that raise no more false alarms than ours, or than the declared rate.

    Detectors that took part in few trials are left out: without alarms there, their rate is uncertain.
    """
    together = {rate.detector: rate for rate in rates if rate.streams == ALL}
    if together.keys() <= {OURS}:
        return
    most = max(together[OURS].per_10_000, 1e4 / declared)
    enough = together[OURS].conversations / 2
    quiet = [
        name
        for name, rate in together.items()
        if name != OURS and rate.per_10_000 <= most and rate.conversations >= enough
    ]
    abrupt = {(d.detector, d.share): d for d in delays if d.family == ALL and d.kind is Kind.ABRUPT}
    faster = [
        f"{name} at {share:.0%}: {number(abrupt[name, share].median)}, ours {number(ours.median)}"
        for (detector, share), ours in abrupt.items()
        if detector == OURS
        for name in quiet
        if (name, share) in abrupt
        and isfinite(abrupt[name, share].median)
        and abrupt[name, share].median <= ours.median
    ]
    yield Goal(
        name="no other with as few false alarms is as fast (median delay, abrupt)",
        wanted="none",
        measured="; ".join(faster) or f"none of {', '.join(quiet) or 'no one'}",
        met=not faster,
    )


def _term_precision(named: Sequence[TermPrecision]) -> Iterator[Goal]:
    windows, hits = sum(one.windows for one in named), sum(one.hits for one in named)
    mostly = sum(one.mostly for one in named)
    if windows:
        yield Goal(
            name=f"words of what is new among the {NAMED} named, of {WINDOW} conversations from 20% new on",
            wanted=f"in {_NAMED:.0%} of windows at least",
            measured=f"{hits / windows:.0%} ({hits} of {windows}); most of them in {mostly / windows:.0%}",
            met=hits >= _NAMED * windows,
        )


def number(value: float) -> str:
    """Return a number of conversations; a dash for infinity."""
    return f"{value:,.0f}" if isfinite(value) else "-"
