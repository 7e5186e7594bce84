"""Watches a stream conversation by conversation and raises an alarm when it changes: an e-detector.

The promise: while the stream is like the reference, alarms are at least ``conversations_between_false_alarms``
conversations apart on average. For each aspect a wealth is staked on bets that are fair under that hypothesis
(``betting``), so that the e-CUSUM W_n = max(W_{n-1}, 1) L_n never exceeds the Shiryaev-Roberts e-detector
R_n = (R_{n-1} + 1) L_n, of which R_n - n is a supermartingale; an alarm at W >= N therefore has an average run length of
N or more (Shin, Ramdas and Rinaldo, E-detectors, 2023, theorem 2.4). The mean of several keeps the promise. Aspects that
become known late (``late``) bet once a conversation at most, so that their R is not above the number of conversations
either; whether they are listened to is chosen in advance, as each is one more that the mean is over.

It assumes that conversations of different users are exchangeable with those of the reference at the same time of the
day (and of the week, where the reference is as long). Those of one user depend on each other, so one counts in each block
of as many as there are users (``users``), in the reference as in the stream. Those drawn are spread evenly over all that
are alike in time: neighbours by time or id are often of one user or topic, and to be unlike a handful of one kind is no
news, yet would pay more than 1 on average.

The reference is finite, so a stream of its own population still differs from it a little, by chance. So experts remember
half as many conversations at most as it has users; draws come from a broad part of it; and each bet forgoes as much as the
mean of what it is drawn from may be off (``_LUCK``). What is drawn again and again from one pool then raises no more
alarms than declared: in 184,000 conversations, where 9 are at one in 20,000, 10 at a reference of 50, 9 at 100, 1 at 400; at 1,000
in 128,000, where 6 are, 2 if all are of one hour, none if the reference spans no day.

Where a cycle is expected and the reference has not lived through it yet, nothing is bet on a conversation of a time of the
day that the reference does not know (``cycles.KnownTimes``), and others are compared with those nearest to it. Whether to
bet follows from the time alone, before anything is known of what was said, so the promise holds: not to bet pays 1. Five
streams whose topics follow the hour (500 conversations of twelve hours, then 1,000 of the next day) raise one alarm so, 182
without.

The experts of an aspect share its wealth (fixed share: Herbster and Warmuth, 1998): what pays now leads now.
"""

import zlib
from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import log

import numpy as np

from monitors.betting import DRAWN, EXPERTS, HORIZONS, VIEWS, Bettor, Flags, Floats, payoffs
from monitors.cycles import NEAR, KnownTimes
from monitors.hyperplanes import centre_of
from monitors.late import LATE, Heard, LateBets, Signal, experts_of, keys_of
from monitors.times import DAY, MONDAY, WEEK, core, spanned_days
from monitors.tokens import BUCKETS, Tokens, tokens_of
from monitors.types import PLAIN_ASPECTS, Aspect, Sample
from monitors.users import LONGEST_BLOCK, Block, block_for, firsts

_SHARE = 0.005  # of the wealth that experts even out at each bet
#: Conversations that experts learn from, and those whose users are known after a restart.
_REMEMBERED = max(*HORIZONS, LONGEST_BLOCK)
#: Conversations that a week's part leaves to draw from, at least; a smaller reference is not split by days.
_ENOUGH = 125
_OF_WEEK, _OF_DAY = 1 / 24, 1 / 4  # of the reference, nearest in phase: those to draw from
#: Where less than a day is known, so much of it, as at its ends all that is drawn is to one side.
_OF_PART = 1 / 8
#: Standard errors of the mean of what is drawn from that a bet forgoes, the most and the least; the more users there are
#: to draw from, the fewer, by _EASED over the root of their number. By calibration, as told above.
_LUCK, _LEAST_LUCK, _EASED = 1.0, 0.5, 8.0
_PACE = 0.02  # at which the deviation is learned
#: As many are drawn for a bet as this share of the users there are to draw from, at least _FEWEST and at most DRAWN.
_OF_ALIKE, _FEWEST = 1 / 8, 8
#: Wealth that chance alone often makes. Where a change began is told by what came above it.
_DOUBT = 100.0
#: Share of the reference's conversations that say something about an aspect, from which on it is drawn with others.
_NEARLY_ALL = 0.9
_CENTRING = 8  # every so many of the reference give the centre of the vectors, and are not drawn with theirs

Found = Mapping[Aspect, Tokens]
_NOTHING: Tokens = np.empty(0, dtype=np.int32)


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
    """Bets on every aspect of each conversation. Constant memory; about a millisecond a conversation."""

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
        block: int | None = None,
    ) -> None:
        """``aspects`` are those whose mean counts; one more makes the others a little slower, as they share the promise.
        ``listens``: the late aspects that it will hear of, and that count too.

        ``state`` and ``recent``, the samples of its keys, let it go on where another stopped.

        ``cycle_days`` is how long the stream's cycle is taken to be; 0: it has none.

        ``block``: in how many conversations one of a user counts (``users``), at most LONGEST_BLOCK, where the reference
        holds none but such; None: its conversations came one after the other, and those that count are chosen here.
        """
        if block is None:
            block = block_for(sample.group for sample in reference)
            counting = firsts(((place, sample.group) for place, sample in enumerate(reference)), block)
            reference = [sample for place, sample in enumerate(reference) if place in counting]
        self._threshold = conversations_between_false_alarms
        self._seed = seed
        partial = spanned_days(reference) < cycle_days
        self._known = KnownTimes([sample.at for sample in reference]) if partial else None
        self._centre = centre_of(sample.embedding for sample in reference[::_CENTRING] if sample.embedding)
        described = [(sample, tokens_of(sample, self._centre)) for sample in reference]
        for _, found in described[::_CENTRING]:
            found.pop(Aspect.EMBEDDING, None)
        self._draws = [
            _Draws(
                [(sample, found) for sample, found in described if together & found.keys()],
                together,
                partial=partial,
            )
            for together in _said_together([found for _, found in described], aspects)
        ]
        state = state or DetectorState()
        self._count, self._begins = state.count, state.begins
        self._late = _late_bets(reference, listens, seed, state, recent or {}, apart=block)
        fresh = {aspect: Stake() for aspect in aspects} | {
            aspect: _late_stake(aspect) for aspect in self._late
        }
        self._stakes = {
            aspect: _fitting(state.stakes.get(aspect, stake), stake) for aspect, stake in fresh.items()
        }
        self._recent: deque[int] = deque(maxlen=_REMEMBERED)
        self._block = Block(block)
        for key in state.recent:
            if (sample := (recent or {}).get(key)) is not None:
                self._remember(key, sample, tokens_of(sample, self._centre))

    @property
    def state(self) -> DetectorState:
        """What to keep."""
        return DetectorState(
            count=self._count,
            begins=self._begins,
            stakes=dict(self._stakes),
            recent=tuple(self._recent),
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
        """Bet on a conversation, then learn from it. ``key`` identifies it in the state; keys rise, by one mostly."""
        if not self._block.counted(sample.group, key):
            tokens = tokens_of(sample, self._centre)
            if self._known is None or sample.at in self._known:
                for draws in self._draws:
                    self._stakes |= self._bet(draws, key, sample, tokens)
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
            (self._stakes[aspect],) = _staked(
                [self._stakes[aspect]], made[None], signal.key, spread=np.empty((1, 0))
            )

    def restart(self) -> None:
        """Stake anew, as after an alarm. What was learned of the latest conversations stays."""
        self._stakes = {
            aspect: replace(_late_stake(aspect) if aspect in self._late else Stake(), spread=stake.spread)
            for aspect, stake in self._stakes.items()
        }

    def _bet(self, draws: "_Draws", key: int, sample: Sample, tokens: Found) -> Mapping[Aspect, Stake]:
        """Return the stakes on those aspects that can be bet on."""
        compared = draws.scores(sample, tokens, zlib.crc32(f"{self._seed}/{self._count}".encode()))
        if compared is None:
            return {}
        scores, has = compared
        told = np.flatnonzero(has[-1] & has[:-1].any(axis=0))
        scores, has = scores[:, told], has[:, told]
        aspects = [draws.aspects[place] for place in told]
        stakes = [self._stakes[aspect] for aspect in aspects]
        spread = np.array([stake.spread for stake in stakes]).reshape(-1, VIEWS)
        made = payoffs(scores, has, draws.luck * np.sqrt(spread))
        drawn = np.where(has[:-1, :, None], scores[:-1], 0.0).sum(axis=0) / has[:-1].sum(axis=0)[:, None]
        learned = spread + _PACE * ((scores[-1] - drawn) ** 2 - spread)
        return dict(zip(aspects, _staked(stakes, made, key, spread=learned), strict=True))

    def _remember(self, key: int, sample: Sample, tokens: Found) -> None:
        for draws in self._draws:
            draws.bettor.learn(draws.said(tokens))
        self._recent.append(key)
        self._block.add(sample.group, key)


def _fitting(kept: Stake, new: Stake) -> Stake:
    """Return the stake that was kept; where a release with other experts kept it, its wealth among those of today."""
    if (len(kept.shares), len(kept.spread)) == (len(new.shares), len(new.spread)):
        return kept
    return replace(new, wealth=kept.wealth, since=kept.since)


def _staked(stakes: Sequence[Stake], made: Floats, key: int, *, spread: Floats) -> list[Stake]:
    """Return stakes after a bet on each, by what each expert made of one unit: stakes x experts."""
    shares: Floats = np.array([stake.shares for stake in stakes]).reshape(made.shape)
    paid = (shares * made).sum(axis=1)
    shares = (1 - _SHARE) * shares * made / paid[:, None] + _SHARE / shares.shape[1]
    rows = zip(stakes, paid.tolist(), shares.tolist(), spread.tolist(), strict=True)
    return [
        Stake(
            wealth=max(stake.wealth, 1.0) * times,
            since=key if stake.wealth <= _DOUBT else stake.since,
            shares=tuple(after),
            spread=tuple(learned),
        )
        for stake, times, after, learned in rows
    ]


def _late_stake(aspect: Aspect) -> Stake:
    count = experts_of(aspect).count
    return Stake(shares=(1 / count,) * count, spread=())


def _late_bets(
    reference: Sequence[Sample],
    listens: Collection[Aspect],
    seed: int,
    state: DetectorState,
    recent: Mapping[int, Sample],
    *,
    apart: int,
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
            apart=apart,
        )
        for aspect in LATE
        if aspect in listens
    }


def _said_together(reference: Sequence[Found], aspects: Sequence[Aspect]) -> list[frozenset[Aspect]]:
    """Return the aspects that nearly every conversation says something about, and each of the others by itself.

    One of those others, drawn with them, would be compared with few or none.
    """
    often = frozenset(
        aspect
        for aspect in aspects
        if sum(aspect in found for found in reference) >= _NEARLY_ALL * len(reference)
    )
    alone = [frozenset({aspect}) for aspect in aspects if aspect not in often]
    return [often, *alone] if often else alone


class _Draws:
    """Draws conversations of the reference from the time of the day, or of the week, at which the fresh one took place."""

    def __init__(
        self,
        members: Sequence[tuple[Sample, Found]],
        aspects: Collection[Aspect],
        *,
        partial: bool = False,
    ) -> None:
        """``partial``: the reference has not lived through the stream's cycle."""
        self.aspects = sorted(aspects)
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
        users = len({sample.group for sample, _ in members})
        alike = max(1, round(share * users))  # users, as what one says depends on what he said
        #: Standard deviations that a bet forgoes, as the mean of so few may be off.
        self.luck = min(_LUCK, max(_LEAST_LUCK, _EASED / alike**0.5)) / alike**0.5
        self._breadth = max(1, round(share * len(members)))  # conversations that a draw is made among
        self._some = min(self._breadth, max(_FEWEST, min(DRAWN, round(_OF_ALIKE * alike))))
        ordered = sorted(members, key=lambda member: (self._phase(member[0].at), member[0].id))
        self._phases = [self._phase(sample.at) for sample, _ in ordered]
        self._versions = [sample.version for sample, _ in ordered]
        self.bettor = Bettor(
            [self.said(found) for _, found in ordered],
            buckets=[BUCKETS[aspect] for aspect in self.aspects],
            users=users,
        )

    def said(self, found: Found) -> list[Tokens]:
        """Return the tokens of each aspect, in order."""
        return [found.get(aspect, _NOTHING) for aspect in self.aspects]

    def scores(self, fresh: Sample, found: Found, chance: int) -> tuple[Floats, Flags] | None:
        """Return the bettor's scores of some drawn, spread over those alike in phase, and of the fresh one, and who is compared.

        None where there is nothing to compare with. Replies are compared with those of the same version.
        """
        said = self.said(found)
        count = len(self._phases)
        if not count or not any(map(len, said)):
            return None
        middle = bisect_left(self._phases, self._phase(fresh.at))
        first = middle - self._breadth // 2
        if not self._wraps:
            first = min(max(first, 0), count - self._breadth)
        apart = self._breadth // self._some
        first += chance % (self._breadth - apart * (self._some - 1))
        drawn = [(first + apart * number) % count for number in range(self._some)]
        scores, has = self.bettor.scores(said, drawn)
        if Aspect.REPLY in self.aspects:
            same = [self._versions[number] == fresh.version for number in drawn]
            has[:-1, self.aspects.index(Aspect.REPLY)] &= same
        return scores, has

    def _phase(self, at: datetime) -> float:
        return 0.0 if self._cycle is None else ((at - self._start) % self._cycle) / self._cycle
