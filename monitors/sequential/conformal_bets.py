"""Bets on late signals: whether users gave feedback, what it was, and the live version's loss.

Each signal is ranked among all earlier ones of its kind, the reference's and the stream's alike: p is the share of them,
itself included, that is at least as bad, with ties broken at random. While the signals are exchangeable, p is uniform and
independent of earlier ones, whatever the distribution and however few there are (Vovk, Nouretdinov and Gammerman, *Testing
exchangeability on-line*, 2003; within kinds: Vovk, Gammerman and Shafer, *Algorithmic learning in a random world*, 2005,
section 4.5). A bet on p is therefore fair even if the reference has few signals; it then only has little power.

Experts bet that signals have become worse, each by a density that falls in p. A stream with better signals than the
reference's pays less than 1 on average, so conversations that the live version has learned from, or answered itself, do
no harm in the stream. A change of the feedback rate is bad news in both directions, so further experts bet that it fell.

p is fair given earlier *signals*. More is known of the conversation by then, and its text may predict the signal;
strictly, a sum of e-detectors keeps its run length in a shared filtration (Choe and Ramdas, *Combining evidence across
filtrations*, 2024). It matters only for conversations that wait for their signal while an alarm is raised for another
reason.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from monitors.sequential.detector_state import LateState
from monitors.types import Aspect
from monitors.user_blocks import RecentUsers

Floats = NDArray[np.float64]

#: Aspects that become known after the conversation.
LATE_ASPECTS = (Aspect.QUALITY, Aspect.FEEDBACK_RATE, Aspect.CONCEPT)
_TWO_SIDED = frozenset({Aspect.FEEDBACK_RATE})


@dataclass(frozen=True, slots=True)
class Experts:
    """Experts who each bet that a share ``within`` of the signals is now among the worst ``shares`` of all."""

    shares: Floats
    within: Floats

    @property
    def count(self) -> int:
        """The number of experts, including one that never bets."""
        return len(self.shares) + 1

    def e_values(self, p: float) -> Floats:
        """Return the e-value of each expert for a p-value."""
        bets = np.where(p < self.shares, self.within / self.shares, (1 - self.within) / (1 - self.shares))
        return np.append(bets, 1.0)


def _betting_on(*odds: float) -> Experts:
    shares = np.repeat(_WORST, len(odds))
    more = np.tile(odds, len(_WORST)) * shares
    return Experts(shares, more / (1 - shares + more))


_WORST = (0.05, 0.1, 0.2, 0.35, 0.5)
_ONE_SIDED_EXPERTS, _TWO_SIDED_EXPERTS = _betting_on(2.0, 5.0), _betting_on(0.2, 0.5, 2.0, 5.0)
_PARTS_OF_A_DAY = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """A late signal of a conversation."""

    key: int  # of the conversation
    group: str
    at: datetime  # when the conversation took place
    kind: str  # signals are ranked within their kind; there are few kinds
    level: int  # larger is worse
    fresh: bool  # of the stream; False: of the reference, which is learned without a bet


class LateBets:
    """Ranks the signals of one aspect. Memory is bounded by the number of kinds and levels."""

    def __init__(
        self,
        state: LateState,
        groups: Mapping[int, str],
        *,
        experts: Experts,
        seed: str,
        by_day: bool,
        distance: int,
    ) -> None:
        """Go on from ``state``; ``groups`` are the users of its keys.

        ``by_day``: each part of the day is a kind of its own. One signal of a user counts in ``distance`` signals.
        """
        #: Number of the newest signal.
        self.until = state.until
        self._levels = {kind: Counter(dict(levels)) for kind, levels in state.levels.items()}
        self._users = RecentUsers(distance)
        self._count = state.count
        for key, at in zip(state.recent, state.recent_at or _latest_places(state), strict=True):
            if key in groups:
                self._users.add(groups[key], key, at)
        self._experts = experts
        self._seed = seed
        self._by_day = by_day

    @property
    def state(self) -> LateState:
        """The state to keep."""
        return LateState(
            until=self.until,
            levels={kind: dict(levels) for kind, levels in self._levels.items()},
            recent=self._users.keys,
            count=self._count,
            recent_at=self._users.places,
        )

    def observe(self, number: int, signal: Signal | None) -> Floats | None:
        """Return the experts' e-values for this signal, and learn it; None where there is no bet.

        Numbers rise in the order of arrival. ``signal`` is None where the signal of that number says nothing here.
        """
        self.until = number
        if signal is None:
            return None
        self._count += 1
        if self._users.counted(signal.group, self._count):
            return None
        values = self._experts.e_values(self._p_value(number, signal)) if signal.fresh else None
        self._remember(signal)
        return values

    def _p_value(self, number: int, signal: Signal) -> float:
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


def late_bets(
    aspects: Iterable[Aspect],
    states: Mapping[Aspect, LateState],
    groups: Mapping[int, str],
    *,
    seed: int,
    by_day: bool,
    distance: int,
) -> dict[Aspect, LateBets]:
    """Return the bets on each of the late aspects, which go on from ``states``."""
    return {
        aspect: LateBets(
            states.get(aspect, LateState()),
            groups,
            experts=experts_of(aspect),
            seed=f"{seed}/{aspect}",
            by_day=by_day,
            distance=distance,
        )
        for aspect in aspects
    }


def _latest_places(state: LateState) -> Sequence[int]:
    """Return the places of the recent signals for the state of a release that kept none: they were the latest."""
    return range(state.count - len(state.recent) + 1, state.count + 1)


def experts_of(aspect: Aspect) -> Experts:
    """Return the experts of a late aspect."""
    return _TWO_SIDED_EXPERTS if aspect in _TWO_SIDED else _ONE_SIDED_EXPERTS
