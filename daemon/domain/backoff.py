"""Says when something has been waited for in vain for long enough to ask again: ever more rarely."""


class Backoff:
    """Runs out after ``first_s``, then after twice as long each time, up to ``most_s``."""

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self.start_over()

    def start_over(self) -> None:
        """What was waited for has come."""
        self._waited_s, self._limit_s = 0.0, self._first_s

    def runs_out(self, waited_s: float) -> bool:
        """Add what was waited; True each time it was too long."""
        self._waited_s += waited_s
        if self._waited_s < self._limit_s:
            return False
        self._waited_s, self._limit_s = 0.0, min(2 * self._limit_s, self._most_s)
        return True
