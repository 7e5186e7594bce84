"""Makes streams without a change, or with a change at a known place. The same seed gives the same stream.

Conversations are drawn with replacement, for the reference and for the stream alike: without it, reference and stream
would hold different documents of a domain, which are not one population.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from monitors.bench.populations import Population, place_of, placed_id
from monitors.types import Sample
from monitors.user_blocks import block_length, first_in_block

_START = datetime(2026, 1, 5, tzinfo=UTC)
#: Days of traffic that the reference is a sample of, and conversations of a day.
_DAYS, _A_DAY = 14, 1_000
_BETWEEN = timedelta(days=1) / _A_DAY
_SESSION = 4.0  # mean conversations of a user's session
_NEIGHBOURS = 20  # adjacent conversations of a file that a user's are drawn from
_TEAM = 60  # users
_REGULARS = 40  # users
_REGULAR_SESSIONS = 1 / (1 + _SESSION)  # share of regulars in the sessions: half of all conversations
#: Autoregression of the wandering mix of topics, and its standard deviation.
_MEMORY, _WANDERING = 0.98, 1.5
_DAILY = 2.0  # amplitude of the daily cycle, as a log of the share
RAMP = 500  # conversations of a gradual change, from nothing to the full share
EPISODE = 400  # conversations of an episode of a recurring change

Floats = NDArray[np.float64]


class Kind(StrEnum):
    """The kind of a stream."""

    IID = "iid"
    SESSIONS = "sessions"  # of users who send several similar conversations in a row
    DAILY = "daily"  # the mix of topics follows the time of the day
    UNBROKEN = "unbroken"  # sessions after a reference of the latest conversations, as for a new model line
    REGULARS = "regulars"  # half of all are of regular users with topics of their own; other users come once
    TEAM = "team"  # sessions of a few users, each with constant topics
    WANDERING = "wandering"  # the mix of topics wanders slowly (AR(1)) around its mean
    ABRUPT = "abrupt"
    GRADUAL = "gradual"
    RECURRING = "recurring"

    @property
    def null(self) -> bool:
        """Whether the whole stream is of the population of the reference."""
        return self in NULLS


#: Kinds that the promise about exchangeable users covers. A wandering mix is a temporary change.
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
    counting: tuple[Sample, ...]  # of the reference: the first of each user in a block
    block: int  # conversations in which one of a user counts
    samples: tuple[Sample, ...]
    change_at: int | None  # the number of the first conversation that may be new, from 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Length:
    """The lengths of reference and stream, in conversations."""

    reference: int = 1_000
    null: int = 5_000
    before: int = 400  # a change, plus or minus a quarter, so that it falls anywhere within a window
    after: int = 2_500

    def of(self, kind: Kind) -> int:
        """Return the approximate length of a stream."""
        return self.null if kind.null else self.before + self.after


def make(population: Population, kind: Kind, *, share: float, length: Length, seed: str) -> Stream:
    """Make a stream. ``share`` of the traffic is new after the change; null streams ignore it."""
    chance = np.random.default_rng(zlib.crc32(seed.encode()))
    if kind.null:
        return _null(population, kind, length, chance)
    before = length.before + int(chance.integers(-length.before // 4, length.before // 4 + 1))
    past = _Traffic(population.before, Kind.IID, chance)
    reference = past.reference(length.reference)
    news = [*np.zeros(before), *(share * _presence(kind, n) for n in range(length.after))]
    is_new = chance.random(len(news)) < np.array(news)
    old = past.latest(len(news))
    picked = chance.integers(len(population.after), size=len(news))
    samples = [
        replace(was, id=placed_id(population.after[new], f"new{n}"), turns=population.after[new].turns)
        if is_new[n]
        else was
        for n, (was, new) in enumerate(zip(old, picked, strict=True))
    ]
    return past.stream(reference, samples, change_at=before)


def _null(population: Population, kind: Kind, length: Length, chance: np.random.Generator) -> Stream:
    traffic = _Traffic(population.before, kind, chance)
    take = traffic.latest if kind is Kind.UNBROKEN else traffic.reference
    reference = take(length.reference)
    return traffic.stream(reference, traffic.latest(length.null), change_at=None)


def _presence(kind: Kind, since: int) -> float:
    """Return the share of the change that is present, so many conversations after it began."""
    if kind is Kind.GRADUAL:
        return min(1.0, (since + 1) / RAMP)
    if kind is Kind.RECURRING:
        return float(since // EPISODE % 2 == 0)
    return 1.0


class _Traffic:
    """The successive conversations of a population."""

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
        #: Whether skipped conversations have no effect on later ones.
        self._independent = kind in {Kind.IID, Kind.DAILY}
        self._seen = self._new = self._left = 0
        self._user, self._theme = "", list[Sample]()
        self._drawn: list[tuple[int, str]] = []  # place and user of each

    def reference(self, count: int) -> list[Sample]:
        """Return a uniform sample of the first two weeks of traffic, in order of time."""
        kept = np.sort(self._chance.choice(_DAYS * _A_DAY, size=count, replace=False))
        wanted = set(kept.tolist())
        return [found for n in range(_DAYS * _A_DAY) if (found := self._next(keep=n in wanted))]

    def latest(self, count: int) -> list[Sample]:
        """Return the next conversations."""
        return [found for _ in range(count) if (found := self._next(keep=True))]

    def stream(
        self, reference: Sequence[Sample], samples: Sequence[Sample], *, change_at: int | None
    ) -> Stream:
        """Return the drawn conversations as a stream."""
        block = block_length(sample.group for sample in reference)
        counting = first_in_block(self._drawn, block)
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
        self._drawn.append((self._seen, self._user))
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
        """Return the conversations that one user's are drawn from."""
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
