"""Exponential backoff between failing attempts."""


class Backoff:
    """Waits ``first_s`` after a failure, and twice as long after each further one, up to ``longest_s``.

    Times are seconds of any one clock of the caller's.
    """

    def __init__(self, first_s: float, longest_s: float | None = None) -> None:
        """Without ``longest_s`` every wait is ``first_s``."""
        self._first_s = first_s
        self._longest_s = first_s if longest_s is None else longest_s
        self._failures = 0
        self._wait_s = 0.0
        self._failed_at = 0.0

    @property
    def failures(self) -> int:
        """Consecutive failures."""
        return self._failures

    def fail(self, now: float) -> float:
        """Record a failed attempt; return the seconds to wait."""
        self._wait_s = min(2 * self._wait_s, self._longest_s) if self._failures else self._first_s
        self._failures += 1
        self._failed_at = now
        return self._wait_s

    def ready(self, now: float) -> bool:
        """Return whether the next attempt may begin. Setting the clock back ends the wait."""
        return not self._failures or not self._failed_at <= now < self._failed_at + self._wait_s

    def reset(self) -> None:
        """Forget all failures: an attempt succeeded."""
        self._failures = 0
        self._wait_s = 0.0
        self._failed_at = 0.0
