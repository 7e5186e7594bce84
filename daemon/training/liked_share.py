"""How many liked answers a training set may have. Commands count lessons by it, so it loads nothing that compares texts."""

import sys

#: Conversations of one user, source or version, and liked answers, that no cap cuts.
ALWAYS_ALLOWED = 10
#: Keeps a quotient that is whole from being rounded down.
_ROUNDING = 1e-9


def most_liked(others: int, share: float, *, always_allowed: int = ALWAYS_ALLOWED) -> int:
    """Return how many liked answers may stand beside other lessons, so that they are at most ``share`` of all."""
    if share >= 1:
        return sys.maxsize
    return max(always_allowed, int(others * share / (1 - share) + _ROUNDING))
