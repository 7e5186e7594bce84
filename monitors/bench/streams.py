"""Streams for detectors: of one population, or with a change whose place is known. The same seed gives the same stream.

Conversations are drawn with replacement, for the reference and for the stream alike: a reference of some documents
and a stream of others of the same domain are not one population, and differ a little.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from monitors.bench.worlds import World, place_of, placed_id
from monitors.types import Sample
from monitors.user_blocks import block_length, first_in_block

_START = datetime(2026, 1, 5, tzinfo=UTC)
#: The reference is a sample of the traffic of so many days, a thousand conversations each.
_DAYS, _A_DAY = 14, 1_000
_BETWEEN = timedelta(days=1) / _A_DAY
_SESSION = 4.0  # conversations of one user in a row, on average
_NEIGHBOURS = 20  # of a file, that one user's conversations are drawn from
_TEAM = 60  # users
_REGULARS = 40  # users, and the share of sessions that is theirs: half of all conversations
_REGULAR_SESSIONS = 1 / (1 + _SESSION)
#: Slowly wandering topics: what is left of today's mix after one conversation, and how far it wanders.
_MEMORY, _WANDERING = 0.98, 1.5
_DAILY = 2.0  # how much more a regime is talked about at its hour, as a log
RAMP = 500  # conversations, from nothing to the full share of new traffic
EPISODE = 400  # conversations, of what comes and goes

Floats = NDArray[np.float64]


class Kind(StrEnum):
    """What happens in a stream."""

    IID = "iid"
    SESSIONS = "sessions"  # of users who send several similar conversations in a row
    DAILY = "daily"  # the mix of topics follows the time of the day
    UNBROKEN = (
        "unbroken"  # the same users, after a reference of the latest conversations: what a new line has
    )
    REGULARS = "regulars"  # who hold half of all, in sessions on their own topics; the others come once, on other topics
    TEAM = "team"  # the same sessions of a few users, who come again with what they always come with
    WANDERING = "wandering"  # the mix wanders slowly (AR(1)) around what it is on average
    ABRUPT = "abrupt"
    GRADUAL = "gradual"
    RECURRING = "recurring"

    @property
    def null(self) -> bool:
        """Whether the whole stream is of the population of the reference."""
        return self in NULLS


#: The kinds that a promise about exchangeable users covers. A mix that wanders is change, if only for a while.
PROMISED = (Kind.IID, Kind.SESSIONS, Kind.DAILY, Kind.UNBROKEN, Kind.REGULARS, Kind.TEAM)
NULLS = (*PROMISED, Kind.WANDERING)
CHANGES = (Kind.ABRUPT, Kind.GRADUAL, Kind.RECURRING)
_IN_SESSIONS = frozenset({Kind.SESSIONS, Kind.UNBROKEN, Kind.TEAM})
#: Those whose mix of regimes changes with time.
MIXED = frozenset({Kind.DAILY, Kind.WANDERING})


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """A reference and what comes after it."""

    reference: tuple[Sample, ...]
    counting: tuple[Sample, ...]  # of the reference: of each user the first of a block
    block: int  # conversations in which one of a user counts
    samples: tuple[Sample, ...]
    change_at: int | None  # the number of the first conversation that may be new, from 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Length:
    """How many conversations."""

    reference: int = 1_000
    null: int = 5_000
    before: int = 400  # a change, give or take a quarter, so that it meets windows at any of their places
    after: int = 2_500

    def of(self, kind: Kind) -> int:
        """Return how long a stream is, about."""
        return self.null if kind.null else self.before + self.after


def make(world: World, kind: Kind, *, share: float, length: Length, seed: str) -> Stream:
    """Make a stream. ``share`` of the traffic is new after a change; it means nothing without one."""
    chance = np.random.default_rng(zlib.crc32(seed.encode()))
    if kind.null:
        return _null(world, kind, length, chance)
    before = length.before + int(chance.integers(-length.before // 4, length.before // 4 + 1))
    past = _Traffic(world.before, Kind.IID, chance)
    reference = past.reference(length.reference)
    news = [*np.zeros(before), *(share * _presence(kind, n) for n in range(length.after))]
    is_new = chance.random(len(news)) < np.array(news)
    old = past.latest(len(news))
    picked = chance.integers(len(world.after), size=len(news))
    samples = [
        replace(was, id=placed_id(world.after[new], f"new{n}"), turns=world.after[new].turns)
        if is_new[n]
        else was
        for n, (was, new) in enumerate(zip(old, picked, strict=True))
    ]
    return past.stream(reference, samples, change_at=before)


def _null(world: World, kind: Kind, length: Length, chance: np.random.Generator) -> Stream:
    traffic = _Traffic(world.before, kind, chance)
    take = traffic.latest if kind is Kind.UNBROKEN else traffic.reference
    reference = take(length.reference)
    return traffic.stream(reference, traffic.latest(length.null), change_at=None)


def _presence(kind: Kind, since: int) -> float:
    """Return how much of the change is there, so many conversations after it began."""
    if kind is Kind.GRADUAL:
        return min(1.0, (since + 1) / RAMP)
    if kind is Kind.RECURRING:
        return float(since // EPISODE % 2 == 0)
    return 1.0


class _Traffic:
    """Conversations of a population, one after the other."""

    def __init__(
        self, regimes: Mapping[str, Sequence[Sample]], kind: Kind, chance: np.random.Generator
    ) -> None:
        self._regimes = [list(found) for found in regimes.values()]
        self._chance = chance
        self._usual = np.log([len(found) for found in self._regimes])
        self._wandered = _WANDERING * chance.normal(size=len(self._regimes))
        self._best_hours = chance.permutation(len(self._regimes)) / len(self._regimes)
        logits = {Kind.DAILY: self._by_hour, Kind.WANDERING: self._wander}
        self._logits: Callable[[datetime], Floats] = logits.get(kind, lambda _: self._usual)
        self._session = _SESSION if kind in _IN_SESSIONS else 1.0
        every = [sample for regime in self._regimes for sample in regime]
        half = len(every) // 2 if kind is Kind.REGULARS else 0
        self._regular, self._occasional = every[:half], every[half:]
        self._team = [self._theme_of(_START) for _ in range(_TEAM)] if kind is Kind.TEAM else []
        #: What was passed over then leaves no trace.
        self._independent = kind in {Kind.IID, Kind.DAILY}
        self._seen = self._new = self._left = 0
        self._user, self._theme = "", list[Sample]()
        self._said: list[tuple[int, str]] = []  # place and user of each that might count

    def reference(self, count: int) -> list[Sample]:
        """Return a uniform sample of the traffic of the first two weeks, in order of time."""
        kept = np.sort(self._chance.choice(_DAYS * _A_DAY, size=count, replace=False))
        wanted = set(kept.tolist())
        return [found for n in range(_DAYS * _A_DAY) if (found := self._next(keep=n in wanted))]

    def latest(self, count: int) -> list[Sample]:
        """Return the next conversations."""
        return [found for _ in range(count) if (found := self._next(keep=True))]

    def stream(
        self, reference: Sequence[Sample], samples: Sequence[Sample], *, change_at: int | None
    ) -> Stream:
        """Return what was drawn as a stream."""
        block = block_length(sample.group for sample in reference)
        counting = first_in_block(self._said, block)
        return Stream(
            reference=tuple(reference),
            counting=tuple(sample for sample in reference if place_of(sample) in counting),
            block=block,
            samples=tuple(samples),
            change_at=change_at,
        )

    def _next(self, *, keep: bool) -> Sample | None:
        at = _START + self._seen * _BETWEEN
        self._seen += 1
        if self._independent and not keep:
            return None
        if not self._left:
            self._begin_session(at)
        self._left -= 1
        self._said.append((self._seen, self._user))
        if not keep:
            return None
        drawn = self._theme[self._chance.integers(len(self._theme))]
        return replace(drawn, id=placed_id(drawn, str(self._seen)), group=self._user, at=at)

    def _begin_session(self, at: datetime) -> None:
        self._left = int(self._chance.geometric(1 / self._session))
        if self._team:
            member = int(self._chance.integers(len(self._team)))
            self._user, self._theme = f"member{member}", self._team[member]
        elif self._regular and self._chance.random() < _REGULAR_SESSIONS:
            self._left = int(self._chance.geometric(1 / _SESSION))
            self._user, self._theme = f"regular{self._chance.integers(_REGULARS)}", self._regular
        else:
            self._new += 1
            self._user = f"user{self._new}"
            self._theme = self._occasional if self._regular else self._theme_of(at)

    def _theme_of(self, at: datetime) -> list[Sample]:
        """Return what one user's conversations are drawn from."""
        odds = self._logits(at)
        shares = np.exp(odds - odds.max())
        regime = self._regimes[self._chance.choice(len(shares), p=shares / shares.sum())]
        if self._session == 1:
            return regime
        first = int(self._chance.integers(max(1, len(regime) - _NEIGHBOURS + 1)))
        return regime[first : first + _NEIGHBOURS]

    def _by_hour(self, at: datetime) -> Floats:
        hour = (at - _START) % timedelta(days=1) / timedelta(days=1)
        return np.asarray(self._usual + _DAILY * np.cos(2 * np.pi * (hour - self._best_hours)))

    def _wander(self, at: datetime) -> Floats:  # noqa: ARG002  the signature of all
        step = np.sqrt(1 - _MEMORY**2) * _WANDERING * self._chance.normal(size=len(self._regimes))
        self._wandered = _MEMORY * self._wandered + step
        return np.asarray(self._usual + self._wandered)
