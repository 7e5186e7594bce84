"""Exponential backoff between failing attempts."""

from collections.abc import Callable


class Backoff:
    """Waits ``first_s`` after a failure, and twice as long after each further one, up to ``longest_s``.

    Times are seconds of any one clock of the caller's.
    """

    def __init__(
        self, first_s: float, longest_s: float | None = None, *, jitter: Callable[[], float] | None = None
    ) -> None:
        """Without ``longest_s`` every wait is ``first_s``.

        ``jitter`` returns a random number from 0 to 1, by which a wait is shortened to between half and all of it, so that
        many clients do not come back at once.
        """
        self._first_s = first_s
        self._longest_s = first_s if longest_s is None else longest_s
        self._jitter = jitter
        self._failures = 0
        self._step_s = 0.0
        self._wait_s = 0.0
        self._failed_at = 0.0

    @property
    def failures(self) -> int:
        """Consecutive failures."""
        return self._failures

    def fail(self, now: float, *, at_least_s: float = 0.0) -> float:
        """Record a failed attempt; return the seconds to wait, ``at_least_s`` if the other side asks for that."""
        self._step_s = min(2 * self._step_s, self._longest_s) if self._failures else self._first_s
        share = 1.0 if self._jitter is None else (1.0 + self._jitter()) / 2
        self._wait_s = max(self._step_s * share, at_least_s)
        self._failures += 1
        self._failed_at = now
        return self._wait_s

    def ready(self, now: float) -> bool:
        """Return whether the next attempt may begin. Setting the clock back ends the wait."""
        return not self._failures or not self._failed_at <= now < self._failed_at + self._wait_s

    def reset(self) -> None:
        """Forget all failures: an attempt succeeded."""
        self._failures = 0
        self._step_s = 0.0
        self._wait_s = 0.0
        self._failed_at = 0.0
