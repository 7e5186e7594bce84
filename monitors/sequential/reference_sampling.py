"""Draws the conversations of the reference that a fresh one is compared with: those at its time of the day."""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from monitors.cycles import NEAR
from monitors.sequential.betting import DRAWN, Bettor, Flags, Floats
from monitors.sequential.hyperplanes import Vector, centre_of
from monitors.sequential.tokens import BUCKETS, Tokens, tokens_of
from monitors.times import DAY, MONDAY, WEEK, trimmed_range
from monitors.types import Aspect, Sample

#: Fewest conversations to draw from where the reference is split by the time of the week; else it is split by day.
_MIN_OF_WEEK = 125
_WEEK_SHARE, _DAY_SHARE = 1 / 24, 1 / 4  # of the reference, nearest in phase: those to draw from
#: Share of a day to draw from where the reference covers less than a day; at its ends all of it is to one side.
_PARTIAL_SHARE = 1 / 8
#: Standard errors of the mean of the conversations to draw from that a bet subtracts: between the two bounds, and fewer
#: the more users there are, by _MARGIN_SCALE over the root of their number. Calibrated on streams without a change.
_MAX_MARGIN, _MIN_MARGIN, _MARGIN_SCALE = 1.0, 0.5, 8.0
#: Conversations drawn for a bet: this share of the users to draw from, between _MIN_DRAWN and DRAWN.
_DRAWN_SHARE, _MIN_DRAWN = 1 / 8, 8
#: Share of the reference's conversations with tokens of an aspect, from which on the aspect shares a draw with others.
_NEARLY_ALL = 0.9
_CENTRING = 8  # every so many conversations of the reference give the centre of the vectors

TokensByAspect = Mapping[Aspect, Tokens]
_NOTHING: Tokens = np.empty(0, dtype=np.int32)


def reference_centre(reference: Sequence[Sample]) -> Vector | None:
    """Return the centre of some of the reference's vectors; None without vectors."""
    return centre_of(sample.embedding for sample in reference[::_CENTRING] if sample.embedding)


def reference_samplers(
    reference: Sequence[Sample], aspects: Sequence[Aspect], centre: Vector | None, *, partial: bool
) -> "list[ReferenceSampler]":
    """Return a sampler for each group of aspects. Conversations that gave the centre are not drawn by their vectors."""
    described = [(sample, tokens_of(sample, centre)) for sample in reference]
    for _, tokens in described[::_CENTRING]:
        tokens.pop(Aspect.EMBEDDING, None)
    return [
        ReferenceSampler(
            [(sample, tokens) for sample, tokens in described if group & tokens.keys()],
            group,
            partial=partial,
        )
        for group in aspect_groups([tokens for _, tokens in described], aspects)
    ]


def aspect_groups(reference: Sequence[TokensByAspect], aspects: Sequence[Aspect]) -> list[frozenset[Aspect]]:
    """Return the aspects that nearly every conversation has tokens of as one group, and each other aspect by itself.

    A draw for the common aspects would hold few or no conversations with tokens of a rare one.
    """
    common = frozenset(
        aspect
        for aspect in aspects
        if sum(aspect in tokens for tokens in reference) >= _NEARLY_ALL * len(reference)
    )
    rare = [frozenset({aspect}) for aspect in aspects if aspect not in common]
    return [common, *rare] if common else rare


class ReferenceSampler:
    """Draws conversations of the reference at the time of the day, or of the week, of the fresh one."""

    def __init__(
        self,
        members: Sequence[tuple[Sample, TokensByAspect]],
        aspects: Collection[Aspect],
        *,
        partial: bool = False,
    ) -> None:
        """``partial``: the reference does not span the stream's cycle."""
        self.aspects = sorted(aspects)
        self._phase = _phase_of([sample.at for sample, _ in members], partial=partial)
        users = len({sample.group for sample, _ in members})
        comparable = max(1, round(self._phase.share * users))  # users, as conversations of one are dependent
        #: Standard deviations that a bet subtracts, as the mean of so few may be off.
        self.margin = min(_MAX_MARGIN, max(_MIN_MARGIN, _MARGIN_SCALE / comparable**0.5)) / comparable**0.5
        self._breadth = max(1, round(self._phase.share * len(members)))  # conversations to draw from
        self._drawn = min(self._breadth, max(_MIN_DRAWN, min(DRAWN, round(_DRAWN_SHARE * comparable))))
        ordered = sorted(members, key=lambda member: (self._phase.of(member[0].at), member[0].id))
        self._phases = [self._phase.of(sample.at) for sample, _ in ordered]
        self._versions = [sample.version for sample, _ in ordered]
        self._bettor = Bettor(
            [self._in_order(tokens) for _, tokens in ordered],
            buckets=[BUCKETS[aspect] for aspect in self.aspects],
            users=users,
        )

    def scores(self, fresh: Sample, tokens: TokensByAspect, chance: int) -> tuple[Floats, Flags] | None:
        """Return the bettor's scores of the drawn conversations and, last, of the fresh one, and which have a score.

        None where there is nothing to compare with. Replies are compared with those of the same version only.
        """
        fresh_tokens = self._in_order(tokens)
        if not self._phases or not any(map(len, fresh_tokens)):
            return None
        drawn = self._draw(fresh, chance)
        scores, has_score = self._bettor.scores(fresh_tokens, drawn)
        if Aspect.REPLY in self.aspects:
            same = [self._versions[number] == fresh.version for number in drawn]
            has_score[:-1, self.aspects.index(Aspect.REPLY)] &= same
        return scores, has_score

    def learn(self, tokens: TokensByAspect) -> None:
        """Learn from a fresh conversation after the bet on it."""
        self._bettor.learn(self._in_order(tokens))

    def _draw(self, fresh: Sample, chance: int) -> list[int]:
        """Return the places of the drawn conversations, spread evenly over those nearest in phase."""
        count = len(self._phases)
        middle = bisect_left(self._phases, self._phase.of(fresh.at))
        first = middle - self._breadth // 2
        if not self._phase.wraps:
            first = min(max(first, 0), count - self._breadth)
        step = self._breadth // self._drawn
        first += chance % (self._breadth - step * (self._drawn - 1))
        return [(first + step * number) % count for number in range(self._drawn)]

    def _in_order(self, tokens: TokensByAspect) -> list[Tokens]:
        return [tokens.get(aspect, _NOTHING) for aspect in self.aspects]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Phase:
    """The position of a time in the stream's cycle."""

    cycle: timedelta | None  # None: there is no cycle
    start: datetime = MONDAY
    wraps: bool = True  # whether the end of the cycle is next to its start
    share: float = 1.0  # of the reference, nearest in phase, to draw from

    def of(self, at: datetime) -> float:
        """Return the phase, from 0 to 1."""
        return 0.0 if self.cycle is None else ((at - self.start) % self.cycle) / self.cycle


def _phase_of(times: Sequence[datetime], *, partial: bool) -> _Phase:
    """Return the longest cycle that a reference of such times can be split by."""
    if not times:
        return _Phase(cycle=None)
    earliest, latest = trimmed_range(times)
    span = latest - earliest
    if partial and span < DAY:  # a part of a day has two ends, which are not next to each other
        share = min(1.0, _PARTIAL_SHARE / max(span / DAY, _PARTIAL_SHARE))
        return _Phase(cycle=DAY, start=earliest - NEAR, wraps=False, share=share)
    if span >= WEEK and len(times) * _WEEK_SHARE >= _MIN_OF_WEEK:
        return _Phase(cycle=WEEK, share=_WEEK_SHARE)
    if span >= DAY:
        return _Phase(cycle=DAY, share=_DAY_SHARE)
    return _Phase(cycle=None)
