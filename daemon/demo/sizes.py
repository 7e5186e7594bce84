"""Chooses the largest sizes of stream and window that the data allow."""

from dataclasses import dataclass

from daemon.demo.errors import NotEnoughConversations

#: Sizes of a window, the preferred first.
_WINDOWS = (100, 50, 30)
_REFERENCE_WINDOWS = 4
_MOST_STABLE_WINDOWS, _FEWEST_STABLE_WINDOWS = 5, 3
_MOST_NEW_WINDOWS, _FEWEST_NEW_WINDOWS = 7, 4
#: Conversations held out of training; the gate judges on them.
HOLDOUT_SHARE = 0.2
#: A margin, so that training starts before the data end, whatever the holdout split.
_CAUTION = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Counts of conversations."""

    window: int
    reference: int
    before: int  # replayed before the change
    after: int  # replayed from the change on
    min_new: int  # that may be trained on, before a training starts


def fit(first: int, second: int) -> Sizes:
    """Choose sizes for ``first`` conversations before the change and ``second`` after it.

    The change comes a third into a window, because real changes do not start at the edge of one.
    Raises NotEnoughConversations.
    """
    for window in _WINDOWS:
        stable = min(_MOST_STABLE_WINDOWS, (first - window // 3) // window - _REFERENCE_WINDOWS)
        after = min(second, _MOST_NEW_WINDOWS * window)
        judged = (after + window // 3) // window
        if stable >= _FEWEST_STABLE_WINDOWS and judged >= _FEWEST_NEW_WINDOWS:
            return Sizes(
                window=window,
                reference=_REFERENCE_WINDOWS * window,
                before=(_REFERENCE_WINDOWS + stable) * window + window // 3,
                after=after,
                min_new=round(_CAUTION * (1 - HOLDOUT_SHARE) * (judged - 1) * window),
            )
    smallest = _WINDOWS[-1]
    need = (_REFERENCE_WINDOWS + _FEWEST_STABLE_WINDOWS) * smallest + smallest // 3
    need_new = _FEWEST_NEW_WINDOWS * smallest - smallest // 3
    raise NotEnoughConversations(
        f"there are {first} usable conversations before the change and {second} after it, and the demo needs "
        f"{need} and {need_new}; long ones are left out. Choose larger regimes: several domains joined with +"
    )
