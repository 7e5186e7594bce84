"""Draws what a fresh conversation is compared with: conversations of the reference that are alike in time."""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import numpy as np

from monitors.cycles import NEAR
from monitors.sequential.betting import DRAWN, Bettor, Flags, Floats
from monitors.sequential.tokens import BUCKETS, Tokens
from monitors.times import DAY, MONDAY, WEEK, core
from monitors.types import Aspect, Sample

#: Conversations that a week's part leaves to draw from, at least; a smaller reference is not split by days.
_ENOUGH = 125
_OF_WEEK, _OF_DAY = 1 / 24, 1 / 4  # of the reference, nearest in phase: those to draw from
#: Where less than a day is known, so much of it, as at its ends all that is drawn is to one side.
_OF_PART = 1 / 8
#: Standard errors of the mean of what is drawn from that a bet forgoes, the most and the least; the more users there are
#: to draw from, the fewer, by _EASED over the root of their number. By calibration, as ``edetector`` tells.
_LUCK, _LEAST_LUCK, _EASED = 1.0, 0.5, 8.0
#: As many are drawn for a bet as this share of the users there are to draw from, at least _FEWEST and at most DRAWN.
_OF_ALIKE, _FEWEST = 1 / 8, 8
#: Share of the reference's conversations that say something about an aspect, from which on it is drawn with others.
_NEARLY_ALL = 0.9

Found = Mapping[Aspect, Tokens]
_NOTHING: Tokens = np.empty(0, dtype=np.int32)


def said_together(reference: Sequence[Found], aspects: Sequence[Aspect]) -> list[frozenset[Aspect]]:
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


class ReferenceSampler:
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
        earliest, latest = core([sample.at for sample, _ in members]) if members else (MONDAY, MONDAY)
        span = latest - earliest
        by_week = span >= WEEK and len(members) * _OF_WEEK >= _ENOUGH
        self._cycle = WEEK if by_week else DAY if span >= DAY else None
        share = 1.0 if self._cycle is None else _OF_WEEK if by_week else _OF_DAY
        self._start, self._wraps = MONDAY, True
        if partial and members and span < DAY:  # a part of a day has ends, and they are no neighbours
            self._cycle, self._start, self._wraps = DAY, earliest - NEAR, False
            share = min(1.0, _OF_PART / max(span / DAY, _OF_PART))
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
