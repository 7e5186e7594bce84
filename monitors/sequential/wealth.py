"""What is staked on each aspect, and how bets change it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitors.sequential.aspect_evidence import DOUBT
from monitors.sequential.betting import EXPERTS, VIEWS, Floats
from monitors.sequential.conformal_bets import experts_of
from monitors.types import Aspect

_SHARE = 0.005  # of the wealth that experts even out at each bet


@dataclass(frozen=True, kw_only=True, slots=True)
class AspectWealth:
    """Where the bets on one aspect stand."""

    wealth: float = 1.0  # W, above 1: evidence for a change
    since: int | None = (
        None  # key of the conversation from which on the wealth is above DOUBT: where a change began
    )
    shares: tuple[float, ...] = (1 / EXPERTS,) * EXPERTS  # of the experts
    spread: tuple[float, ...] = (
        0.0,
    ) * VIEWS  # mean squares of how far the fresh scores are from those drawn


def fitting(kept: AspectWealth, new: AspectWealth) -> AspectWealth:
    """Return the stake that was kept; where a release with other experts kept it, its wealth among those of today."""
    if (len(kept.shares), len(kept.spread)) == (len(new.shares), len(new.spread)):
        return kept
    return replace(new, wealth=kept.wealth, since=kept.since)


def staked(stakes: Sequence[AspectWealth], made: Floats, key: int, *, spread: Floats) -> list[AspectWealth]:
    """Return stakes after a bet on each, by what each expert made of one unit: stakes x experts."""
    shares: Floats = np.array([stake.shares for stake in stakes]).reshape(made.shape)
    paid = (shares * made).sum(axis=1)
    shares = (1 - _SHARE) * shares * made / paid[:, None] + _SHARE / shares.shape[1]
    rows = zip(stakes, paid.tolist(), shares.tolist(), spread.tolist(), strict=True)
    return [
        AspectWealth(
            wealth=max(stake.wealth, 1.0) * times,
            since=key if stake.wealth <= DOUBT else stake.since,
            shares=tuple(after),
            spread=tuple(learned),
        )
        for stake, times, after, learned in rows
    ]


def late_stake(aspect: Aspect) -> AspectWealth:
    """Return the stake on an aspect that becomes known late, before any bet."""
    count = experts_of(aspect).count
    return AspectWealth(shares=(1 / count,) * count, spread=())
