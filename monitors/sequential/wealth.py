"""The wealth of each aspect, which is the evidence for a change, and how bets change it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitors.sequential.aspect_evidence import DOUBT
from monitors.sequential.betting import Floats
from monitors.sequential.conformal_bets import experts_of
from monitors.sequential.detector_state import AspectWealth
from monitors.types import Aspect

_SHARED = 0.005  # of the wealth, which is evened out among the experts at each bet


def restored(stored: AspectWealth, initial: AspectWealth) -> AspectWealth:
    """Return a stored wealth. One of a release with other experts keeps its evidence, shared among today's experts."""
    if (len(stored.weights), len(stored.variances)) == (len(initial.weights), len(initial.variances)):
        return stored
    return replace(initial, wealth=stored.wealth, since=stored.since)


def after_bet(
    wealths: Sequence[AspectWealth], e_values: Floats, key: int, *, variances: Floats
) -> list[AspectWealth]:
    """Return the wealths after a bet on each, by each expert's e-value (wealths x experts)."""
    weights: Floats = np.array([one.weights for one in wealths]).reshape(e_values.shape)
    factors = (weights * e_values).sum(axis=1)
    weights = (1 - _SHARED) * weights * e_values / factors[:, None] + _SHARED / weights.shape[1]
    rows = zip(wealths, factors.tolist(), weights.tolist(), variances.tolist(), strict=True)
    return [
        AspectWealth(
            wealth=max(before.wealth, 1.0) * factor,
            since=key if before.wealth <= DOUBT else before.since,
            weights=tuple(weights_after),
            variances=tuple(variances_after),
        )
        for before, factor, weights_after, variances_after in rows
    ]


def initial_late_wealth(aspect: Aspect) -> AspectWealth:
    """Return the wealth of a late aspect before any bet."""
    count = experts_of(aspect).count
    return AspectWealth(weights=(1 / count,) * count, variances=())
