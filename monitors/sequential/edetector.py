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
mean of what it is drawn from may be off (``draws``). What is drawn again and again from one pool then raises no more
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
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import log

import numpy as np

from monitors.cycles import KnownTimes
from monitors.sequential.aspect_evidence import DOUBT
from monitors.sequential.betting import HORIZONS, VIEWS, payoffs
from monitors.sequential.conformal_bets import LATE, LateBets, LateState, Signal, experts_of, keys_of
from monitors.sequential.hyperplanes import centre_of
from monitors.sequential.reference_sampling import Found, ReferenceSampler, said_together
from monitors.sequential.tokens import tokens_of
from monitors.sequential.wealth import AspectWealth, fitting, late_stake, staked
from monitors.times import spanned_days
from monitors.types import PLAIN_ASPECTS, Aspect, Sample
from monitors.user_blocks import LONGEST_BLOCK, Block, block_for, firsts

#: Conversations that experts learn from, and those whose users are known after a restart.
_REMEMBERED = max(*HORIZONS, LONGEST_BLOCK)
_PACE = 0.02  # at which the deviation is learned
_CENTRING = 8  # every so many of the reference give the centre of the vectors, and are not drawn with theirs


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorState:
    """All that an e-detector needs to go on exactly as if it had never stopped, besides the latest samples."""

    count: int = 0  # conversations seen
    begins: int = 0  # key after which the stream begins; what becomes known of earlier ones is no bet's
    stakes: Mapping[Aspect, AspectWealth] = field(default_factory=dict)
    recent: tuple[int, ...] = ()  # keys of the samples that are remembered, the oldest first
    heard: Mapping[Aspect, LateState] = field(default_factory=dict)  # of the aspects that become known late

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
            ReferenceSampler(
                [(sample, found) for sample, found in described if together & found.keys()],
                together,
                partial=partial,
            )
            for together in said_together([found for _, found in described], aspects)
        ]
        state = state or DetectorState()
        self._count, self._begins = state.count, state.begins
        self._late = _late_bets(reference, listens, seed, state, recent or {}, apart=block)
        fresh = {aspect: AspectWealth() for aspect in aspects} | {
            aspect: late_stake(aspect) for aspect in self._late
        }
        self._stakes = {
            aspect: fitting(state.stakes.get(aspect, stake), stake) for aspect, stake in fresh.items()
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

        The wealth grows as fast from 1 to DOUBT as it does from there on, by its logarithm. Of what becomes known late
        it is the first conversation after which there is no doubt.
        """
        stake = self._stakes[aspect]
        if stake.since is None or aspect in self._late or stake.wealth <= DOUBT:
            return stake.since
        unseen = (key - stake.since) * log(DOUBT) / log(stake.wealth / DOUBT)
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
            (self._stakes[aspect],) = staked(
                [self._stakes[aspect]], made[None], signal.key, spread=np.empty((1, 0))
            )

    def restart(self) -> None:
        """Stake anew, as after an alarm. What was learned of the latest conversations stays."""
        self._stakes = {
            aspect: replace(
                late_stake(aspect) if aspect in self._late else AspectWealth(), spread=stake.spread
            )
            for aspect, stake in self._stakes.items()
        }

    def _bet(
        self, draws: "ReferenceSampler", key: int, sample: Sample, tokens: Found
    ) -> Mapping[Aspect, AspectWealth]:
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
        return dict(zip(aspects, staked(stakes, made, key, spread=learned), strict=True))

    def _remember(self, key: int, sample: Sample, tokens: Found) -> None:
        for draws in self._draws:
            draws.bettor.learn(draws.said(tokens))
        self._recent.append(key)
        self._block.add(sample.group, key)


def _late_bets(
    reference: Sequence[Sample],
    listens: Collection[Aspect],
    seed: int,
    state: DetectorState,
    recent: Mapping[int, Sample],
    *,
    apart: int,
) -> dict[Aspect, LateBets]:
    by_day = spanned_days(reference) >= 1
    groups = {key: sample.group for key, sample in recent.items()}
    return {
        aspect: LateBets(
            state.heard.get(aspect, LateState()),
            groups,
            experts=experts_of(aspect),
            seed=f"{seed}/{aspect}",
            by_day=by_day,
            apart=apart,
        )
        for aspect in LATE
        if aspect in listens
    }
