"""Waits between attempts that fail."""


class Backoff:
    """Spaces attempts that fail: by ``first_s``, then twice as long after each further failure, at most ``longest_s``.

    Times are seconds of one clock of the caller's choice.
    """

    def __init__(self, first_s: float, longest_s: float | None = None) -> None:
        """``longest_s`` is ``first_s`` unless given: then all waits are alike."""
        self._first_s = first_s
        self._longest_s = first_s if longest_s is None else longest_s
        self._failures = 0
        self._wait_s = 0.0
        self._failed_at = 0.0

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    def fail(self, now: float) -> float:
        """Note a failed attempt and return how many seconds to wait."""
        self._wait_s = min(2 * self._wait_s, self._longest_s) if self._failures else self._first_s
        self._failures += 1
        self._failed_at = now
        return self._wait_s

    def ready(self, now: float) -> bool:
        """Whether the next attempt may begin. A clock that was set back ends the wait."""
        return not self._failures or not self._failed_at <= now < self._failed_at + self._wait_s

    def reset(self) -> None:
        """Forget all failures: an attempt succeeded."""
        self._failures = 0
        self._wait_s = 0.0
        self._failed_at = 0.0
