"""Watches a stream conversation by conversation and raises an alarm when it changes: an e-detector.

The promise: while the stream is like the reference, alarms are at least ``conversations_between_false_alarms``
conversations apart on average. For each aspect a wealth is staked on bets that are fair under that hypothesis
(``betting``), so that the e-CUSUM W_n = max(W_{n-1}, 1) L_n never exceeds the Shiryaev-Roberts e-detector
R_n = (R_{n-1} + 1) L_n, of which R_n - n is a supermartingale; an alarm at W >= N therefore has an average run length of
N or more (Shin, Ramdas and Rinaldo, E-detectors, 2023, theorem 2.4). The mean of several keeps the promise. Aspects that
become known late (``late``) bet once a conversation at most, so that their R is not above the number of conversations
either; whether they are listened to is chosen in advance, as each is one more that the mean is over.

It assumes that conversations of different users are exchangeable with those of the reference at the same time of the
day (and of the week, where the reference is as long). One conversation of a user counts while it is remembered, as
those of one user depend on each other. The reference is finite, so a stream of its own population still differs from it
a little, by chance. So experts remember half as many conversations at most; draws come from a broad part of it; and each
bet forgoes as much as the mean of what it is drawn from may be off (``_LUCK``). What is drawn again and again from one
pool then raises no more alarms than declared, at a reference of 50 either (7 in 192,000 conversations, at one in 20,000).

Where a cycle is expected and the reference has not lived through it yet, nothing is bet on a conversation of a time of the
day that the reference does not know (``cycles.KnownTimes``), and others are compared with those nearest to it. Whether to
bet follows from the time alone, before anything is known of what was said, so the promise holds: not to bet pays 1. Five
streams whose topics follow the hour (500 conversations of twelve hours, then 1,000 of the next day) raise one alarm so;
without, the first three alone raise 149.

The experts of an aspect share its wealth (fixed share: Herbster and Warmuth, 1998): what pays now leads now.
"""

import zlib
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import log

import numpy as np

from monitors.betting import DRAWN, EXPERTS, HORIZONS, VIEWS, Bettor, Floats, payoffs
from monitors.cycles import NEAR, KnownTimes
from monitors.hyperplanes import centre_of
from monitors.late import LATE, Heard, LateBets, Signal, experts_of, keys_of
from monitors.times import DAY, MONDAY, WEEK, core, spanned_days
from monitors.tokens import BUCKETS, Tokens, tokens_of
from monitors.types import PLAIN_ASPECTS, Aspect, Sample

_SHARE = 0.005  # of the wealth that experts even out at each bet
_REMEMBERED = max(HORIZONS)
#: Conversations that a week's part leaves to draw from, at least; a smaller reference is not split by days.
_ENOUGH = 125
_OF_WEEK, _OF_DAY = 1 / 24, 1 / 4  # of the reference, nearest in phase: those to draw from
#: Where less than a day is known, so much of it, as at its ends all that is drawn is to one side.
_OF_PART = 1 / 8
#: Standard errors of the mean of what is drawn from that a bet forgoes, and how fast the deviation is learned.
_LUCK, _PACE = 1.0, 0.02
#: Wealth that chance alone often makes. Where a change began is told by what came above it.
_DOUBT = 100.0
_CENTRING = 8  # every so many of the reference give the centre of the vectors, and are not drawn with theirs


@dataclass(frozen=True, kw_only=True, slots=True)
class Stake:
    """Where the bets on one aspect stand."""

    wealth: float = 1.0  # W, above 1: evidence for a change
    since: int | None = None  # key of the conversation from which on the wealth is above _DOUBT
    shares: tuple[float, ...] = (1 / EXPERTS,) * EXPERTS  # of the experts
    spread: tuple[float, ...] = (
        0.0,
    ) * VIEWS  # mean squares of how far the fresh scores are from those drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorState:
    """All that an e-detector needs to go on exactly as if it had never stopped, besides the latest samples."""

    count: int = 0  # conversations seen
    begins: int = 0  # key after which the stream begins; what becomes known of earlier ones is no bet's
    stakes: Mapping[Aspect, Stake] = field(default_factory=dict)
    recent: tuple[int, ...] = ()  # keys of the samples that are remembered, the oldest first
    heard: Mapping[Aspect, Heard] = field(default_factory=dict)  # of the aspects that become known late

    @property
    def keys(self) -> list[int]:
        """The keys of all samples that it takes to go on, in order."""
        return sorted(keys_of(self.heard.values()) | set(self.recent))

    @property
    def wealth(self) -> float:
        """The e-detector: the mean over the aspects."""
        return sum(stake.wealth for stake in self.stakes.values()) / len(self.stakes) if self.stakes else 1.0

    @property
    def leading(self) -> Aspect | None:
        """The aspect with the most evidence."""
        return max(self.stakes, key=lambda aspect: self.stakes[aspect].wealth, default=None)


class EDetector:
    """Bets on every aspect of each conversation. Constant memory; well under a millisecond a conversation."""

    def __init__(
        self,
        reference: Sequence[Sample],
        *,
        aspects: Sequence[Aspect] = PLAIN_ASPECTS,
        conversations_between_false_alarms: int = 20_000,
        seed: int = 0,
        listens: Collection[Aspect] = (),
        cycle_days: float = 0.0,
        state: DetectorState | None = None,
        recent: Mapping[int, Sample] | None = None,
    ) -> None:
        """``aspects`` are those whose mean counts; one more makes the others a little slower, as they share the promise.
        ``listens``: the late aspects that it will hear of, and that count too.

        ``state`` and ``recent``, the samples of its keys, let it go on where another stopped.

        ``cycle_days`` is how long the stream's cycle is taken to be; 0: it has none.
        """
        self._threshold = conversations_between_false_alarms
        self._seed = seed
        partial = spanned_days(reference) < cycle_days
        self._known = KnownTimes([sample.at for sample in reference]) if partial else None
        self._centre = centre_of(sample.embedding for sample in reference[::_CENTRING] if sample.embedding)
        described = [(sample, tokens_of(sample, self._centre)) for sample in reference]
        for _, found in described[::_CENTRING]:
            found.pop(Aspect.EMBEDDING, None)
        self._draws = {
            aspect: _Draws(
                [(sample, found[aspect]) for sample, found in described if aspect in found],
                aspect,
                partial=partial,
            )
            for aspect in aspects
        }
        state = state or DetectorState()
        self._count, self._begins = state.count, state.begins
        self._late = _late_bets(reference, listens, seed, state, recent or {})
        fresh = {aspect: Stake() for aspect in aspects} | {
            aspect: _late_stake(aspect) for aspect in self._late
        }
        self._stakes = {
            aspect: _fitting(state.stakes.get(aspect, stake), stake) for aspect, stake in fresh.items()
        }
        self._recent: deque[tuple[int, str]] = deque()
        self._groups: Counter[str] = Counter()
        for key in state.recent:
            if (sample := (recent or {}).get(key)) is not None:
                self._remember(key, sample, self._tokens(sample))

    @property
    def state(self) -> DetectorState:
        """What to keep."""
        return DetectorState(
            count=self._count,
            begins=self._begins,
            stakes=dict(self._stakes),
            recent=tuple(key for key, _ in self._recent),
            heard={aspect: bets.heard for aspect, bets in self._late.items()},
        )

    @property
    def begins(self) -> int:
        """The key after which the stream begins."""
        return self._begins

    @property
    def alarmed(self) -> bool:
        """Whether the evidence is enough."""
        wealth = [stake.wealth for stake in self._stakes.values()]
        return sum(wealth) / len(wealth) >= self._threshold

    def changed_at(self, aspect: Aspect, key: int) -> int | None:
        """Return about where the change began that shows in an aspect after the conversation of ``key``.

        The wealth grows as fast from 1 to _DOUBT as it does from there on, by its logarithm. Of what becomes known late
        it is the first conversation after which there is no doubt.
        """
        stake = self._stakes[aspect]
        if stake.since is None or aspect in self._late or stake.wealth <= _DOUBT:
            return stake.since
        unseen = (key - stake.since) * log(_DOUBT) / log(stake.wealth / _DOUBT)
        return max(self._begins + 1, stake.since - round(unseen))

    def see(self, key: int, sample: Sample) -> None:
        """Bet on a conversation, then learn from it. ``key`` identifies it in the state."""
        if sample.group not in self._groups:
            tokens = self._tokens(sample)
            if self._known is None or sample.at in self._known:
                for aspect, found in tokens.items():
                    self._stakes[aspect] = self._bet(aspect, key, sample, found)
            self._remember(key, sample, tokens)
        self._count += 1

    def heard_until(self, aspect: Aspect) -> int | None:
        """Return the number of the newest signal on a late aspect; None where it does not listen to it."""
        return self._late[aspect].until if aspect in self._late else None

    def hear(self, aspect: Aspect, number: int, signal: Signal | None) -> None:
        """Bet on what became known of a conversation that was seen, or of the reference's; None where it says nothing.

        At most one signal a conversation is heard, in the order of their numbers.
        """
        made = self._late[aspect].hear(number, signal)
        if made is not None and signal is not None:
            self._stakes[aspect] = _staked(self._stakes[aspect], made, signal.key, spread=())

    def restart(self) -> None:
        """Stake anew, as after an alarm. What was learned of the latest conversations stays."""
        self._stakes = {
            aspect: replace(_late_stake(aspect) if aspect in self._late else Stake(), spread=stake.spread)
            for aspect, stake in self._stakes.items()
        }

    def _tokens(self, sample: Sample) -> dict[Aspect, Tokens]:
        found = tokens_of(sample, self._centre)
        return {aspect: tokens for aspect, tokens in found.items() if aspect in self._stakes}

    def _bet(self, aspect: Aspect, key: int, sample: Sample, tokens: Tokens) -> Stake:
        stake, draws = self._stakes[aspect], self._draws[aspect]
        scores = draws.scores(sample, tokens, zlib.crc32(f"{self._seed}/{self._count}".encode()))
        if scores is None:
            return stake
        spread = np.asarray(stake.spread)
        made = payoffs(scores, _LUCK * np.sqrt(spread / draws.breadth))
        apart = scores[-1] - scores[:-1].sum(axis=0) / (len(scores) - 1)
        learned = spread + _PACE * (apart**2 - spread)
        return _staked(stake, made, key, spread=tuple(learned.tolist()))

    def _remember(self, key: int, sample: Sample, tokens: Mapping[Aspect, Tokens]) -> None:
        for aspect, found in tokens.items():
            self._draws[aspect].bettor.learn(found)
        self._recent.append((key, sample.group))
        self._groups[sample.group] += 1
        if len(self._recent) > _REMEMBERED:
            _, group = self._recent.popleft()
            self._groups[group] -= 1
            if not self._groups[group]:
                del self._groups[group]


def _fitting(kept: Stake, new: Stake) -> Stake:
    """Return the stake that was kept; where a release with other experts kept it, its wealth among those of today."""
    if (len(kept.shares), len(kept.spread)) == (len(new.shares), len(new.spread)):
        return kept
    return replace(new, wealth=kept.wealth, since=kept.since)


def _staked(stake: Stake, made: Floats, key: int, *, spread: tuple[float, ...]) -> Stake:
    """Return a stake after a bet, by what each expert made of one unit."""
    shares: Floats = np.asarray(stake.shares)
    paid = float(shares @ made)
    shares = (1 - _SHARE) * shares * made / paid + _SHARE / len(shares)
    return Stake(
        wealth=max(stake.wealth, 1.0) * paid,
        since=key if stake.wealth <= _DOUBT else stake.since,
        shares=tuple(shares.tolist()),
        spread=spread,
    )


def _late_stake(aspect: Aspect) -> Stake:
    count = experts_of(aspect).count
    return Stake(shares=(1 / count,) * count, spread=())


def _late_bets(
    reference: Sequence[Sample],
    listens: Collection[Aspect],
    seed: int,
    state: DetectorState,
    recent: Mapping[int, Sample],
) -> dict[Aspect, LateBets]:
    times = [sample.at for sample in reference]
    by_day = bool(times) and max(times) - min(times) >= DAY
    groups = {key: sample.group for key, sample in recent.items()}
    return {
        aspect: LateBets(
            state.heard.get(aspect, Heard()),
            groups,
            experts=experts_of(aspect),
            seed=f"{seed}/{aspect}",
            by_day=by_day,
        )
        for aspect in LATE
        if aspect in listens
    }


class _Draws:
    """Draws conversations of the reference from the time of the day, or of the week, at which the fresh one took place."""

    def __init__(
        self, members: Sequence[tuple[Sample, Tokens]], aspect: Aspect, *, partial: bool = False
    ) -> None:
        """``partial``: the reference has not lived through the stream's cycle."""
        times = [sample.at for sample, _ in members]
        span = max(times) - min(times) if times else timedelta()
        by_week = span >= WEEK and len(members) * _OF_WEEK >= _ENOUGH
        self._cycle = WEEK if by_week else DAY if span >= DAY else None
        share = 1.0 if self._cycle is None else _OF_WEEK if by_week else _OF_DAY
        self._start, self._wraps = MONDAY, True
        if partial and times:
            earliest, latest = core(times)
            if latest - earliest < DAY:  # a part of a day has ends, and they are no neighbours
                self._cycle, self._start, self._wraps = DAY, earliest - NEAR, False
                share = min(1.0, _OF_PART / max((latest - earliest) / DAY, _OF_PART))
        #: How many conversations a draw is made among.
        self.breadth = max(1, round(share * len(members)))
        ordered = sorted(members, key=lambda member: (self._phase(member[0].at), member[0].id))
        self._phases = [self._phase(sample.at) for sample, _ in ordered]
        around = [sample.version for sample, _ in [*ordered, *ordered[:DRAWN]]]
        self._versions = np.array(around, dtype=object) if aspect is Aspect.REPLY else None
        self.bettor = Bettor([tokens for _, tokens in ordered], buckets=BUCKETS[aspect])

    def scores(self, fresh: Sample, tokens: Tokens, chance: int) -> Floats | None:
        """Return the bettor's scores of some drawn, neighbours in phase, and of the fresh one.

        None where there is nothing to compare with: replies of another version.
        """
        count = len(self._phases)
        if not count:
            return None
        middle = bisect_left(self._phases, self._phase(fresh.at))
        first = middle - self.breadth // 2
        if not self._wraps:
            first = min(max(first, 0), count - self.breadth)
        some = min(DRAWN, self.breadth)
        drawn = (first + chance % (self.breadth - some + 1)) % count
        if self._versions is None:
            return self.bettor.scores(tokens, drawn, some)
        same = self._versions[drawn : drawn + some] == fresh.version
        return self.bettor.scores(tokens, drawn, some)[np.append(same, True)] if same.any() else None

    def _phase(self, at: datetime) -> float:
        return 0.0 if self._cycle is None else ((at - self._start) % self._cycle) / self._cycle
