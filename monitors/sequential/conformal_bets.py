"""Bets on what becomes known of conversations after they were seen: whether users said what they thought of them, what
it was, the live version's loss.

Each signal is ranked among all earlier ones of its kind, the reference's and the stream's alike: p is the share of them,
itself included, that is at least as bad, ties broken by chance. While they are exchangeable, p is uniform and independent
of what came before, whatever the distribution and however few there are (Vovk, Nouretdinov and Gammerman, *Testing
exchangeability on-line*, 2003; within kinds: Vovk, Gammerman and Shafer, *Algorithmic Learning in a Random World*, 2005,
section 4.5). So a bet on p is fair with a reference of twenty signals too: it is then worth little, but never too much.

Experts bet that signals have become worse. Each does so by a density that falls in p, so that a stream with better
signals than the reference's pays less than 1 on average: conversations that the live version has learned from, or answered
itself, may only be in the stream without harm. How many users say anything is bad news either way (nobody cares, or many
complain), so further experts bet that it has become less.

That p is fair given what earlier *signals* said. Of the conversation itself more is known by then, and what it says may
tell of its signal: strictly, a sum of e-detectors promises its run length in a filtration that they share (Choe and Ramdas,
*Combining evidence across filtrations*, 2024). Only conversations that wait for their signal while an alarm is raised for
another reason can matter.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from monitors.types import Aspect
from monitors.user_blocks import Users

Floats = NDArray[np.float64]

#: What becomes known late.
LATE = (Aspect.QUALITY, Aspect.FEEDBACK_RATE, Aspect.CONCEPT)
_EITHER_WAY = frozenset({Aspect.FEEDBACK_RATE})


@dataclass(frozen=True, slots=True)
class Experts:
    """Each bets that the odds of being among the worst ``shares`` of all have changed so that ``within`` of all are, now."""

    shares: Floats
    within: Floats

    @property
    def count(self) -> int:
        """How many there are, with one that never bets."""
        return len(self.shares) + 1

    def payoffs(self, p: float) -> Floats:
        """Return what each makes of one unit where ``p`` of all are at least as bad."""
        bets = np.where(p < self.shares, self.within / self.shares, (1 - self.within) / (1 - self.shares))
        return np.append(bets, 1.0)


def _betting_on(*odds: float) -> Experts:
    shares = np.repeat(_WORST, len(odds))
    more = np.tile(odds, len(_WORST)) * shares
    return Experts(shares, more / (1 - shares + more))


_WORST = (0.05, 0.1, 0.2, 0.35, 0.5)
_WORSE, _OTHERWISE = _betting_on(2.0, 5.0), _betting_on(0.2, 0.5, 2.0, 5.0)
_PARTS_OF_A_DAY = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """Something that became known of a conversation."""

    key: int  # of the conversation
    group: str
    at: datetime  # when the conversation took place
    kind: str  # signals are ranked among those of their kind only; there are few
    level: int  # the larger, the worse
    fresh: bool  # else it is the reference's, and only ranked among


@dataclass(frozen=True, kw_only=True, slots=True)
class LateState:
    """All that bets on one late aspect need to go on exactly, besides the stake."""

    until: int = 0  # number of the newest signal
    levels: Mapping[str, Mapping[int, int]] = field(default_factory=dict)  # by kind: how many of each level
    recent: tuple[int, ...] = ()  # keys of the conversations whose users are remembered, the oldest first
    count: int = 0  # signals heard
    recent_at: tuple[int, ...] = ()  # how many had been heard with each of the recent ones


class LateBets:
    """Ranks the signals of one aspect. Memory is bounded by how many kinds and levels there are."""

    def __init__(
        self,
        heard: LateState,
        groups: Mapping[int, str],
        *,
        experts: Experts,
        seed: str,
        by_day: bool,
        apart: int,
    ) -> None:
        """``groups`` are those of the remembered keys; ``by_day``: signals of a part of the day are a kind.

        One signal of a user counts in ``apart``, as those of one user depend on each other.
        """
        #: Number of the newest signal.
        self.until = heard.until
        self._levels = {kind: Counter(dict(levels)) for kind, levels in heard.levels.items()}
        self._users = Users(apart)
        self._count = heard.count
        for key, at in zip(heard.recent, heard.recent_at or _latest(heard), strict=True):
            if key in groups:
                self._users.add(groups[key], key, at)
        self._experts = experts
        self._seed = seed
        self._by_day = by_day

    @property
    def heard(self) -> LateState:
        """What to keep."""
        return LateState(
            until=self.until,
            levels={kind: dict(levels) for kind, levels in self._levels.items()},
            recent=self._users.keys,
            count=self._count,
            recent_at=self._users.places,
        )

    def hear(self, number: int, signal: Signal | None) -> Floats | None:
        """Return what each expert makes of one unit by this signal, and remember it; None where nothing is bet.

        Numbers rise in the order of arrival. ``signal`` is None where there was one that says nothing here.
        """
        self.until = number
        if signal is None:
            return None
        self._count += 1
        if self._users.counted(signal.group, self._count):
            return None
        made = self._experts.payoffs(self._rank(number, signal)) if signal.fresh else None
        self._remember(signal)
        return made

    def _rank(self, number: int, signal: Signal) -> float:
        levels = self._levels.get(self._kind(signal), Counter())
        worse = sum(count for level, count in levels.items() if level > signal.level)
        chance = random.Random(f"{self._seed}/{number}").random()  # noqa: S311 - not a secret
        return (worse + chance * (levels[signal.level] + 1)) / (levels.total() + 1)

    def _remember(self, signal: Signal) -> None:
        self._levels.setdefault(self._kind(signal), Counter())[signal.level] += 1
        self._users.add(signal.group, signal.key, self._count)

    def _kind(self, signal: Signal) -> str:
        part = signal.at.hour * _PARTS_OF_A_DAY // 24 if self._by_day else 0
        return f"{signal.kind}, {part}"


def _latest(heard: LateState) -> Sequence[int]:
    """Return the places of the recent ones, where a release that kept none has left the state: they were the latest."""
    return range(heard.count - len(heard.recent) + 1, heard.count + 1)


def experts_of(aspect: Aspect) -> Experts:
    """Return who bets on a late aspect."""
    return _OTHERWISE if aspect in _EITHER_WAY else _WORSE


def keys_of(heard: Iterable[LateState]) -> set[int]:
    """Return the conversations whose users are remembered."""
    return {key for one in heard for key in one.recent}
