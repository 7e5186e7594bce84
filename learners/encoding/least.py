"""Finds the least number for which something holds."""

from collections.abc import Callable


def least(holds: Callable[[int], bool], *, guess: int, most: int) -> int | None:
    """Return the least number from 0 to ``most`` for which ``holds``; None if there is none.

    It must hold for all numbers above one for which it does. The search goes out from ``guess`` in growing steps, so a
    good guess costs few calls, whatever ``most`` is.
    """
    fails, found, step = -1, guess, 1
    if holds(guess):
        while found > 0:
            tried = max(0, found - step)
            if not holds(tried):
                fails = tried
                break
            found, step = tried, 2 * step
    else:
        fails = guess
        while True:
            if fails == most:
                return None
            found = min(most, fails + step)
            if holds(found):
                break
            fails, step = found, 2 * step
    while found - fails > 1:
        middle = (found + fails) // 2
        if holds(middle):
            found = middle
        else:
            fails = middle
    return found
