"""Watches a stream conversation by conversation and raises an alarm when it changes: an e-detector.

While the stream is like the reference, alarms are at least ``conversations_between_false_alarms`` conversations apart on
average. For each aspect, a wealth grows and shrinks by bets that are fair under that hypothesis (``betting``). The e-CUSUM
W_n = max(W_{n-1}, 1) L_n never exceeds the Shiryaev-Roberts e-detector R_n = (R_{n-1} + 1) L_n, and R_n - n is a
supermartingale; so an alarm at W >= N has an average run length of at least N (Shin, Ramdas and Rinaldo, *E-detectors*,
2023, theorem 2.4). The mean over several aspects keeps the promise. Late aspects bet at most once per conversation, so
their R does not exceed the number of conversations either; which of them take part is chosen in advance, as each is one
more in the mean.

The promise assumes that conversations of different users are exchangeable with those of the reference at the same time of
the day (and of the week, where the reference is as long). Conversations of one user are dependent, so one counts in each
block (``user_blocks``), in the reference as in the stream. The conversations that a bet compares with are spread evenly
over all at that time (``reference_sampling``): neighbours by time or id are often of one user or topic, and a bet against
such a group would pay more than 1 on average.

The reference is finite, so a stream of its own population still differs from it a little, by chance. Experts therefore
remember at most half as many conversations as the reference has users, bets draw from a broad part of the reference, and
each bet subtracts a margin for the error of the mean of what it draws from.

Where a cycle is expected and the reference does not span it yet, there is no bet at a time of day that the reference does
not cover (``cycles.KnownTimes``). That depends on the time alone, before anything is known of the text, and not betting
pays 1, so the promise holds.

The experts of an aspect share its wealth (fixed share: Herbster and Warmuth, *Tracking the best expert*, 1998), so that
the currently successful ones have the most weight.
"""

import zlib
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np

from monitors.cycles import KnownTimes
from monitors.sequential.aspect_evidence import DOUBT
from monitors.sequential.betting import e_values
from monitors.sequential.conformal_bets import LATE_ASPECTS, Signal, late_bets
from monitors.sequential.detector_state import AspectWealth, DetectorState
from monitors.sequential.experts import HORIZONS, VIEWS
from monitors.sequential.reference_sampling import (
    ReferenceSampler,
    TokensByAspect,
    reference_centre,
    reference_samplers,
)
from monitors.sequential.tokens import tokens_of
from monitors.sequential.wealth import after_bet, initial_late_wealth, restored
from monitors.times import spanned_days
from monitors.types import PLAIN_ASPECTS, Aspect, Sample
from monitors.user_blocks import LONGEST_BLOCK, Block, block_length, first_in_block

#: Conversations that are remembered: experts learn from them, and their users are known after a restart.
_REMEMBERED = max(*HORIZONS, LONGEST_BLOCK)
_VARIANCE_RATE = 0.02  # at which the variance of scores is learned


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorSettings:
    """What an e-detector watches, and how rare its false alarms are."""

    #: Aspects whose mean raises the alarm. More: each change is found a little later.
    aspects: Sequence[Aspect] = PLAIN_ASPECTS
    #: Late aspects that take part in the mean.
    late_aspects: Collection[Aspect] = ()
    #: Average run length between false alarms. Larger: fewer false alarms, later detection.
    conversations_between_false_alarms: int = 20_000
    seed: int = 0
    #: Length of the stream's cycle in days. 0: no cycle.
    cycle_days: float = 0.0


_DEFAULTS = DetectorSettings()


class EDetector:
    """Bets on every aspect of each conversation, in constant memory."""

    def __init__(
        self,
        reference: Sequence[Sample],
        settings: DetectorSettings = _DEFAULTS,
        *,
        block: int | None = None,
        state: DetectorState | None = None,
        recent: Mapping[int, Sample] | None = None,
    ) -> None:
        """Begin, or go on from a ``state`` with ``recent``, the samples of its keys.

        ``block`` is the number of conversations in which one of a user counts, at most LONGEST_BLOCK; the reference then
        holds only conversations that count. None: the reference is consecutive, and the detector selects those that count.
        """
        if block is None:
            reference, block = _counting(reference)
        state, recent = state or DetectorState(), recent or {}
        partial = spanned_days(reference) < settings.cycle_days
        self._settings = settings
        self._known_times = KnownTimes([sample.at for sample in reference]) if partial else None
        self._centre = reference_centre(reference)
        self._samplers = reference_samplers(reference, settings.aspects, self._centre, partial=partial)
        self._count, self._begins = state.count, state.begins
        self._late = late_bets(
            [aspect for aspect in LATE_ASPECTS if aspect in settings.late_aspects],
            state.late,
            {key: sample.group for key, sample in recent.items()},
            seed=settings.seed,
            by_day=spanned_days(reference) >= 1,
            distance=block,
        )
        self._initial = {aspect: AspectWealth() for aspect in settings.aspects} | {
            aspect: initial_late_wealth(aspect) for aspect in self._late
        }
        self._wealths = {
            aspect: restored(state.wealths.get(aspect, initial), initial)
            for aspect, initial in self._initial.items()
        }
        self._recent: deque[int] = deque(maxlen=_REMEMBERED)
        self._block = Block(block)
        for key in state.recent:
            if (sample := recent.get(key)) is not None:
                self._remember(key, sample, tokens_of(sample, self._centre))

    @property
    def state(self) -> DetectorState:
        """The state to keep."""
        return DetectorState(
            count=self._count,
            begins=self._begins,
            wealths=dict(self._wealths),
            recent=tuple(self._recent),
            late={aspect: bets.state for aspect, bets in self._late.items()},
        )

    @property
    def begins(self) -> int:
        """The key after which the stream begins."""
        return self._begins

    @property
    def alarmed(self) -> bool:
        """Whether the evidence reaches the threshold."""
        wealths = [one.wealth for one in self._wealths.values()]
        return sum(wealths) / len(wealths) >= self._settings.conversations_between_false_alarms

    def changed_at(self, aspect: Aspect, key: int) -> int | None:
        """Estimate where a change in an aspect began, after the conversation of ``key``.

        The logarithm of the wealth is assumed to have grown from 1 to DOUBT at the pace at which it grew since. For late
        aspects the estimate is the first conversation after which the wealth was above DOUBT.
        """
        found = self._wealths[aspect]
        if found.since is None or aspect in self._late or found.wealth <= DOUBT:
            return found.since
        before = (key - found.since) * log(DOUBT) / log(found.wealth / DOUBT)
        return max(self._begins + 1, found.since - round(before))

    def observe(self, key: int, sample: Sample) -> None:
        """Bet on a conversation, then learn from it. ``key`` identifies it in the state; keys rise, mostly by one."""
        if not self._block.counted(sample.group, key):
            tokens = tokens_of(sample, self._centre)
            if self._known_times is None or sample.at in self._known_times:
                for sampler in self._samplers:
                    self._wealths |= self._bet(sampler, key, sample, tokens)
            self._remember(key, sample, tokens)
        self._count += 1

    def late_until(self, aspect: Aspect) -> int | None:
        """Return the number of the newest signal of a late aspect; None where it does not take part."""
        return self._late[aspect].until if aspect in self._late else None

    def observe_late(self, aspect: Aspect, number: int, signal: Signal | None) -> None:
        """Bet on a late signal of an observed conversation, or learn one of the reference; None: it says nothing here.

        Each conversation has at most one signal of an aspect. Numbers rise.
        """
        values = self._late[aspect].observe(number, signal)
        if values is not None and signal is not None:
            no_variances = np.empty((1, 0))
            (self._wealths[aspect],) = after_bet(
                [self._wealths[aspect]], values[None], signal.key, variances=no_variances
            )

    def restart(self) -> None:
        """Reset the evidence, as after an alarm. What was learned of the latest conversations stays."""
        self._wealths = {
            aspect: replace(self._initial[aspect], variances=before.variances)
            for aspect, before in self._wealths.items()
        }

    def _bet(
        self, sampler: ReferenceSampler, key: int, sample: Sample, tokens: TokensByAspect
    ) -> Mapping[Aspect, AspectWealth]:
        """Return the wealths of the sampler's aspects that could be compared."""
        compared = sampler.scores(sample, tokens, zlib.crc32(f"{self._settings.seed}/{self._count}".encode()))
        if compared is None:
            return {}
        scores, has_score = compared
        comparable = np.flatnonzero(has_score[-1] & has_score[:-1].any(axis=0))
        scores, has_score = scores[:, comparable], has_score[:, comparable]
        aspects = [sampler.aspects[place] for place in comparable]
        wealths = [self._wealths[aspect] for aspect in aspects]
        variances = np.array([one.variances for one in wealths]).reshape(-1, VIEWS)
        values = e_values(scores, has_score, sampler.margin * np.sqrt(variances))
        drawn = has_score[:-1]
        mean = np.where(drawn[:, :, None], scores[:-1], 0.0).sum(axis=0) / drawn.sum(axis=0)[:, None]
        learned = variances + _VARIANCE_RATE * ((scores[-1] - mean) ** 2 - variances)
        return dict(zip(aspects, after_bet(wealths, values, key, variances=learned), strict=True))

    def _remember(self, key: int, sample: Sample, tokens: TokensByAspect) -> None:
        for sampler in self._samplers:
            sampler.learn(tokens)
        self._recent.append(key)
        self._block.add(sample.group, key)


def _counting(reference: Sequence[Sample]) -> tuple[list[Sample], int]:
    """Return the samples of a consecutive reference that count, and the length of a block."""
    block = block_length(sample.group for sample in reference)
    counting = first_in_block(((place, sample.group) for place, sample in enumerate(reference)), block)
    return [sample for place, sample in enumerate(reference) if place in counting], block
